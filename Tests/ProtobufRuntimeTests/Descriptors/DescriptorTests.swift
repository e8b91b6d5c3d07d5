import ProtobufRuntime
import Testing

@Suite struct DescriptorTests {
  let pool: DescriptorPool
  let shape: MessageDescriptor

  init() throws {
    pool = try Protoc.pool(of: "shapes.proto", "classic.proto")
    shape = try #require(pool.message("shapes.v1.Shape"))
  }

  @Test func describesFields() throws {
    let owner = try #require(shape.field(numbered: 1))
    #expect(owner.name == "owner_name" && owner.jsonName == "ownerName" && owner.type == .string)
    #expect(!owner.hasPresence && !owner.isRepeated && owner.comment == "Who made it.")
    #expect(shape.field(named: "offsets")?.isPacked == true)
    #expect(shape.field(named: "weights")?.isPacked == false)
    #expect(shape.field(named: "made_at")?.isDeprecated == true)
    #expect(pool.messageType(of: try #require(shape.field(named: "made_at")))?.name == "Timestamp")
    #expect(pool.enumType(of: try #require(shape.field(named: "stage")))?.name == "Stage")
    let part = try #require(pool.message("shapes.v1.Shape.Part"))
    #expect(part.fields.map(\.jsonName) == ["HTTPBody", "sort"])
  }

  @Test func tellsOptionalFromOneof() throws {
    let count = try #require(shape.field(named: "edge_count"))
    #expect(count.isProto3Optional && count.hasPresence && count.realOneofIndex == nil)
    let outline = try #require(shape.field(named: "outline"))
    #expect(outline.realOneofIndex == 0 && outline.hasPresence && !outline.isProto3Optional)
    #expect(shape.oneofs.map(\.name) == ["body", "_edge_count"])
    #expect(shape.oneofs.map(\.isSynthetic) == [false, true])
  }

  @Test func knowsMaps() throws {
    let parts = try #require(shape.field(named: "parts"))
    let entry = try #require(shape.mapEntry(of: parts))
    #expect(parts.isMap && entry.isMapEntry)
    #expect(entry.field(numbered: 1)?.type == .string)
    #expect(entry.field(numbered: 2)?.typeName == "shapes.v1.Shape.Part")
  }

  @Test func describesEnumsWithAliases() throws {
    let stage = try #require(pool.enum("shapes.v1.Stage"))
    #expect(stage.allowsAliases && stage.isOpen && stage.comment == "How far a shape is.")
    #expect(stage.value(numbered: 1)?.name == "STAGE_DRAWN")
    #expect(stage.value(named: "STAGE_SKETCHED")?.number == 1)
    #expect(stage.value(numbered: -2)?.isDeprecated == true)
    #expect(stage.value(numbered: 7) == nil)
    #expect(stage.values[0].comment == "Not said.")
    #expect(pool.enum("classic.Mood")?.isOpen == false)
  }

  @Test func describesMethods() throws {
    let service = try #require(pool.service("shapes.v1.DrawService"))
    #expect(service.methods.map(\.isClientStreaming) == [false, false, true, true])
    #expect(service.methods.map(\.isServerStreaming) == [false, true, false, true])
    #expect(service.methods.map(\.isDeprecated) == [false, false, false, true])
    #expect(service.comment == "Draws." && service.methods[0].comment == "Draws one shape.")
    #expect(service.method(named: "Watch")?.inputType == "shapes.v1.Shape")
  }

  @Test func keepsTheLinesOfComments() throws {
    #expect(shape.comment == "A shape.\nIts second line.")
    #expect(pool.message("shapes.v1.Shape.Part")?.comment == "A part.")
    #expect(pool.enum("shapes.v1.Shape.Part.Kind")?.comment == "What kind.")
    #expect(pool.file(named: "shapes.proto")?.comment == "Every shape that a descriptor can take.")
  }

  @Test func readsTheDeclaredPolicy() throws {
    let draw = try #require(pool.service("shapes.v1.DrawService")?.method(named: "Draw"))
    let policy = try #require(try draw.declaredPolicy())
    #expect(policy.access == .role && policy.roles == ["artist", "owner"] && policy.mutates)
    #expect(policy.resourceField == "owner_name")
    #expect(policy.defaultDeadline == .milliseconds(2500) && policy.longestDeadline == nil)
    #expect(policy.rateClass == .expensive && policy.priority == .high)
    #expect(policy.maxConcurrentCalls == 100 && policy.maxConcurrentCallsPerCaller == 3)
    #expect(policy.maxMessageBytes == 1024)
    let watch = try #require(pool.service("shapes.v1.DrawService")?.method(named: "Watch"))
    #expect(try watch.declaredPolicy() == nil)
  }

  @Test func readsTheDeclaredRules() throws {
    let owner = try #require(try shape.field(named: "owner_name")?.declaredRules())
    #expect(owner.isRequired && owner.isSecret && owner.minLength == 2 && owner.maxLength == 40)
    #expect(owner.format == "handle" && owner.idKind == "user" && owner.minimum == nil)
    let angle = try #require(try shape.field(named: "angle")?.declaredRules())
    #expect(angle.minimum == -1.5 && angle.maximum == 0 && !angle.isRequired)
    #expect(try shape.field(named: "stage")?.declaredRules() == nil)
  }

  @Test func describesProto2() throws {
    let old = try #require(pool.message("classic.Old"))
    #expect(old.fields.map(\.hasPresence) == [true, true, false, false])
    #expect(old.fields.map(\.isPacked) == [false, false, false, true])
    #expect(old.fields[0].label == .required && old.fields[0].defaultValue == "some\ttext")
    #expect(old.fields[1].defaultValue == "-7")
  }
}
