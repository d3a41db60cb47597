// Whatever is not exactly what was wrapped, for exactly that, is an `integrity_failure`.

import PosternProtocol

private let binding = Array("domain llm".utf8)

let tamperChecks = [
    KeyWrapperCheck("a blob opens only with what it was bound to") { instance in
        let blob = try await instance.wrapper.wrap(sampleKey(32), associatedData: binding, deadline: soon)
        for other in [[], Array("domain llN".utf8), binding + [0], Array(binding.dropLast()), [0] + binding] {
            try await expectDamaged(instance, blob, "bound to other data", other)
        }
    },
    KeyWrapperCheck("a blob with any byte changed does not open") { instance in
        let blob = try await instance.wrapper.wrap(sampleKey(32), associatedData: binding, deadline: soon)
        for position in positions(blob) {
            var changed = blob
            changed[position] ^= 1 << (position % 8)
            try await expectDamaged(instance, changed, "with byte \(position) changed")
        }
    },
    KeyWrapperCheck("a blob that was cut, or to which something was added, does not open") { instance in
        let blob = try await instance.wrapper.wrap(sampleKey(32), associatedData: binding, deadline: soon)
        for length in blob.indices {
            try await expectDamaged(instance, Array(blob.prefix(length)), "cut to \(length) bytes")
        }
        for count in [1, 8, 16, 300, 70_000] {
            try await expectDamaged(instance, blob + [UInt8](repeating: 0, count: count), "with \(count) bytes more")
            try await expectDamaged(instance, [UInt8](repeating: 1, count: count) + blob, "after \(count) bytes")
        }
    },
    KeyWrapperCheck("what another key wrapped does not open") { instance in
        let foreign = try await instance.foreign.wrap(sampleKey(32), associatedData: binding, deadline: soon)
        try await expectDamaged(instance, foreign, "of another key")
        for length in [1, 2, 64, 500] {
            for byte in [UInt8(0), 1, 2, 0xFF] {
                try await expectDamaged(instance, [UInt8](repeating: byte, count: length), "of \(length) bytes \(byte)")
            }
        }
    },
    KeyWrapperCheck("after all that, a good blob still opens") { instance in
        let blob = try await instance.wrapper.wrap(sampleKey(32), associatedData: binding, deadline: soon)
        for _ in 0..<20 { try await expectDamaged(instance, blob.dropLast() + [blob[blob.count - 1] ^ 1], "changed") }
        let back = try await instance.wrapper.unwrap(blob, associatedData: binding, deadline: soon)
        try expect(back == sampleKey(32), "it came back different")
    },
]

/// All positions of a blob; of a long one, all at its ends and some between, where there is but one number.
private func positions(_ blob: [UInt8]) -> [Int] {
    blob.indices.filter { $0 < 64 || $0 >= blob.count - 64 || blob.count <= 200 || $0.isMultiple(of: 8) }
}

private func expectDamaged(
    _ instance: KeyWrapperHarness.Instance, _ blob: [UInt8], _ what: String, _ data: [UInt8] = binding
) async throws {
    try await expectError(.integrityFailure, from: "a blob \(what)") {
        _ = try await instance.wrapper.unwrap(blob, associatedData: data, deadline: soon)
    }
}
