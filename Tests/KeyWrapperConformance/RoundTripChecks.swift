// What goes in comes out, under this key and no other.

import PosternProtocol

let roundTripChecks = [
    KeyWrapperCheck("keys of 1 to 64 bytes come back as they were") { instance in
        for length in [1, 16, 20, 31, 32, 33, 64] {
            let key = sampleKey(length)
            let blob = try await instance.wrapper.wrap(key, associatedData: [1, 2], deadline: soon)
            let back = try await instance.wrapper.unwrap(blob, associatedData: [1, 2], deadline: soon)
            try expect(back == key, "a key of \(length) bytes came back different")
        }
    },
    KeyWrapperCheck("associated data of any length binds") { instance in
        for length in [0, 1, 15, 16, 17, 48, 500] {
            let data = [UInt8](repeating: 0x5A, count: length)
            let blob = try await instance.wrapper.wrap(sampleKey(32), associatedData: data, deadline: soon)
            let back = try await instance.wrapper.unwrap(blob, associatedData: data, deadline: soon)
            try expect(back == sampleKey(32), "a key bound to \(length) bytes came back different")
        }
    },
    KeyWrapperCheck("what is not a small key is refused with `internal`") { instance in
        for length in [0, 65, 4_096] {
            try await expectError(.internalError, from: "wrapping \(length) bytes") {
                _ = try await instance.wrapper.wrap(sampleKey(length), associatedData: [], deadline: soon)
            }
        }
    },
    KeyWrapperCheck("a key wrapped twice gives two blobs, and neither shows it") { instance in
        let key = sampleKey(32)
        let a = try await instance.wrapper.wrap(key, associatedData: [], deadline: soon)
        let b = try await instance.wrapper.wrap(key, associatedData: [], deadline: soon)
        try expect(a != b, "both are the same")
        let part = key.withUnsafeBytes { Array($0.prefix(8)) }
        for blob in [a, b] {
            let shows = blob.indices.contains { blob[$0...].starts(with: part) }
            try expect(!shows, "the key is in the blob")
        }
    },
    KeyWrapperCheck("the descriptor names the key, and stays the same after a restart") { instance in
        let before = instance.wrapper.descriptor
        let blob = try await instance.wrapper.wrap(sampleKey(32), associatedData: [9], deadline: soon)
        let again = try await instance.reopen()
        try expect(!before.id.isEmpty && !before.origin.isEmpty, "its name or origin is empty")
        try expect(instance.wrapper.descriptor.id == before.id, "its name changed when it was used")
        try expect(again.descriptor.id == before.id, "its name is another after a restart")
        try expect(instance.foreign.descriptor.id != before.id, "another key has the same name")
        let back = try await again.unwrap(blob, associatedData: [9], deadline: soon)
        try expect(back == sampleKey(32), "what was wrapped before a restart came back different")
    },
    KeyWrapperCheck("many callers at a time each get their own") { instance in
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in UInt8(0)..<64 {
                group.addTask {
                    let key = sampleKey(32, seed: number)
                    let blob = try await instance.wrapper.wrap(key, associatedData: [number], deadline: soon)
                    let back = try await instance.wrapper.unwrap(blob, associatedData: [number], deadline: soon)
                    try expect(back == key, "caller \(number) got another key")
                }
            }
            try await group.waitForAll()
        }
    },
]
