/// A vector in space; as a direction, of any positive length.
struct Vector: Sendable, Hashable {
  let x: Double
  let y: Double
  let z: Double

  func dot(_ other: Vector) -> Double {
    x * other.x + y * other.y + z * other.z
  }

  func cross(_ other: Vector) -> Vector {
    Vector(
      x: y * other.z - z * other.y,
      y: z * other.x - x * other.z,
      z: x * other.y - y * other.x)
  }

  var lengthSquared: Double { dot(self) }

  /// The same direction with length 1.
  var normalized: Vector {
    let length = lengthSquared.squareRoot()
    return Vector(x: x / length, y: y / length, z: z / length)
  }

  static func - (a: Vector, b: Vector) -> Vector {
    Vector(x: a.x - b.x, y: a.y - b.y, z: a.z - b.z)
  }
}
