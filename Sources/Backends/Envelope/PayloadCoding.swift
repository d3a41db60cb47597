// How a payload becomes the bytes that are encrypted, and back. docs/envelope-format.md describes it.

import PosternProtocol

/// The plaintext inside an envelope: a count of fields (2 bytes), then for each its name's length (2 bytes),
/// its name in UTF-8, its value's length (4 bytes) and its value. Integers are big-endian.
enum PayloadCoding {
    /// The bytes of a payload.
    /// - Throws: `too_large` if a value has 4 GiB or more.
    static func encode(_ payload: Payload) throws(SecretError) -> SecretBytes {
        guard payload.fields.allSatisfy({ $0.value.count <= UInt32.max }) else {
            throw SecretError(.tooLarge, "A field of 4 GiB or more cannot be encrypted.")
        }
        let size = 2 + payload.byteCount + payload.fields.count * 6
        return SecretBytes(capacity: size) { target in
            var writer = Writer(target: target)
            writer.put(UInt16(payload.fields.count))
            for field in payload.fields {
                writer.put(UInt16(field.name.utf8.count))
                writer.put(field.name.utf8)
                writer.put(UInt32(field.value.count))
                field.value.withUnsafeBytes { writer.put($0) }
            }
            return writer.position
        }
    }

    /// The payload that bytes spell, or nil if they are not exactly one payload.
    static func decode(_ bytes: UnsafeRawBufferPointer) -> Payload? {
        var reader = ByteReader(bytes)
        guard let count = reader.take(UInt16.self), count <= Payload.maximumFields else { return nil }
        var fields: [Payload.Field] = []
        fields.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let nameLength = reader.take(UInt16.self), let nameBytes = reader.take(Int(nameLength)),
                let name = String(validating: nameBytes, as: UTF8.self),
                let valueLength = reader.take(UInt32.self), let value = reader.take(Int(valueLength))
            else { return nil }
            fields.append(Payload.Field(name: name, value: SecretBytes(copying: value)))
        }
        guard reader.remaining == 0 else { return nil }
        // What was accepted when it was written is readable, whatever the limit on new payloads is now.
        do { return try Payload(fields, maximumBytes: .max) } catch { return nil }
    }

    private struct Writer {
        let target: UnsafeMutableRawBufferPointer
        var position = 0

        mutating func put(_ value: some FixedWidthInteger) {
            withUnsafeBytes(of: value.bigEndian) { put($0) }
        }

        mutating func put(_ bytes: some Collection<UInt8>) {
            UnsafeMutableRawBufferPointer(rebasing: target[position...]).copyBytes(from: bytes)
            position += bytes.count
        }
    }
}
