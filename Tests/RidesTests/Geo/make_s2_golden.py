"""Writes s2_golden.txt: cells, neighbours and coverings as Google's S2 sees them, by the PyPI package s2sphere.

Run with a Python that has s2sphere 0.2.5:  python make_s2_golden.py > s2_golden.txt
The seed is fixed, so the file is the same each time.
"""

import math
import random

import s2sphere as s2

EARTH_RADIUS_M = 6_371_010.0
CAP_MARGIN_M = 0.001  # the margin that Cap adds
LEVEL = 13
RADII_M = [1.0, 150.0, 1_000.0, 2_000.0, 4_000.0, 8_000.0]

# Poles, the ends of longitude, centres of faces, middles of cube edges, corners of the cube, and real cities.
CUBE_CORNER_LATITUDE = math.degrees(math.asin(1 / math.sqrt(3)))
SPECIAL = (
    [(90.0, 0.0), (-90.0, 0.0), (90.0, 123.0), (0.0, 180.0), (0.0, -180.0), (60.0, 180.0), (-17.8, -180.0)]
    + [(0.0, longitude) for longitude in (0.0, 90.0, -90.0)]
    + [(latitude, longitude) for latitude in (45.0, -45.0, 44.99, 0.01) for longitude in (0.0, 90.0, 179.99, -90.0)]
    + [(latitude, longitude) for latitude in (0.0, 20.0, -30.0) for longitude in (45.0, 135.0, -135.0, -45.0)]
    + [
        (sign * (CUBE_CORNER_LATITUDE + offset), longitude + offset)
        for sign in (1, -1)
        for longitude in (45.0, 135.0, -135.0, -45.0)
        for offset in (0.0, 0.01, -0.005)
    ]
    + [(60.1699, 24.9384), (37.7749, -122.4194), (-33.8688, 151.2093), (64.1466, -21.9426), (-16.5, 179.99)]
)


def random_point(generator):
    """Uniform on the sphere."""
    return (math.degrees(math.asin(generator.uniform(-1, 1))), generator.uniform(-180, 180))


def covering(point, radius_m):
    """All cells of the level that may intersect the cap, by descending from the faces."""
    axis = s2.LatLng.from_degrees(*point).to_point()
    cap = s2.Cap.from_axis_angle(axis, s2.Angle.from_radians((radius_m + CAP_MARGIN_M) / EARTH_RADIUS_M))
    found = []
    pending = [s2.CellId.from_face_pos_level(face, 0, 0) for face in range(6)]
    while pending:
        cell = pending.pop()
        if not cap.may_intersect(s2.Cell(cell)):
            continue
        if cell.level() == LEVEL:
            found.append(cell)
        else:
            pending.extend(cell.children())
    return sorted(found)


def main():
    generator = random.Random(20260101)
    points = SPECIAL + [random_point(generator) for _ in range(250)]
    print("# point latitude longitude | leaf | level 13 | edge neighbours | all neighbours; written by make_s2_golden.py")
    for latitude, longitude in points:
        leaf = s2.CellId.from_lat_lng(s2.LatLng.from_degrees(latitude, longitude))
        cell = leaf.parent(LEVEL)
        edges = sorted(neighbour.to_token() for neighbour in cell.get_edge_neighbors())
        around = sorted({neighbour.to_token() for neighbour in cell.get_all_neighbors(LEVEL)})
        print("point", repr(latitude), repr(longitude), leaf.to_token(), cell.to_token(), ",".join(edges), ",".join(around))
    print("# cap latitude longitude radius_m | level 13 covering")
    centres = SPECIAL[::2] + [random_point(generator) for _ in range(40)]
    for index, point in enumerate(centres):
        radius_m = RADII_M[index % len(RADII_M)]
        cells = covering(point, radius_m)
        print("cap", repr(point[0]), repr(point[1]), repr(radius_m), ",".join(cell.to_token() for cell in cells))


if __name__ == "__main__":
    main()
