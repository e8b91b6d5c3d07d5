/// A point of the sphere, seen on the cube that S2 puts around it: one of six faces and a place on it.
///
/// Faces 0, 1, 2 look along +x, +y, +z and 3, 4, 5 along −x, −y, −z. `u` and `v` run from −1 to 1 over a face. Their
/// axes are chosen so that the right-hand rule holds on each face and one Hilbert curve runs through all six.
struct CubePoint: Equatable {
  let face: Int
  let u: Double
  let v: Double

  init(face: Int, u: Double, v: Double) {
    self.face = face
    self.u = u
    self.v = v
  }

  /// Projects from the centre of the cube. The face is that of the component with the largest size.
  init(_ direction: Vector) {
    let (x, y, z) = (direction.x, direction.y, direction.z)
    if abs(x) > abs(y) && abs(x) > abs(z) {
      self = x < 0 ? CubePoint(face: 3, u: z / x, v: y / x) : CubePoint(face: 0, u: y / x, v: z / x)
    } else if abs(x) <= abs(y) && abs(y) > abs(z) {
      self = y < 0 ? CubePoint(face: 4, u: z / y, v: -x / y) : CubePoint(face: 1, u: -x / y, v: z / y)
    } else {
      self = z < 0 ? CubePoint(face: 5, u: -y / z, v: -x / z) : CubePoint(face: 2, u: -x / z, v: -y / z)
    }
  }

  /// The way back: a vector toward the point, not normalized.
  var direction: Vector {
    switch face {
    case 0: Vector(x: 1, y: u, z: v)
    case 1: Vector(x: -u, y: 1, z: v)
    case 2: Vector(x: -u, y: -v, z: 1)
    case 3: Vector(x: -1, y: -v, z: -u)
    case 4: Vector(x: v, y: -1, z: -u)
    default: Vector(x: v, y: u, z: -1)
    }
  }

  /// From −1…1 (evenly spaced on the cube) to 0…1 (nearly evenly spaced on the sphere). Equal steps on a flat face
  /// cover less and less of the sphere toward its rim; this quadratic stretches them to within a factor of 2.1.
  static func even(_ u: Double) -> Double {
    u >= 0 ? 0.5 * (1 + 3 * u).squareRoot() : 1 - 0.5 * (1 - 3 * u).squareRoot()
  }

  /// The inverse of `even`.
  static func projected(_ s: Double) -> Double {
    s >= 0.5 ? 1 / 3 * (4 * s * s - 1) : 1 / 3 * (1 - 4 * (1 - s) * (1 - s))
  }
}
