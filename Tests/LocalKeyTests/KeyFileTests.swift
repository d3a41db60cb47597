import Foundation
import LocalKey
import PosternProtocol
import Testing

@Suite struct KeyFileTests {
    private static let good = """
        # A comment.
        postern-key-v1

        id file:f64ba42b7fa0cbd4
        key ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=

        """

    @Test func `a documented key file is read, and has the documented id`() async throws {
        let folder = try TemporaryFolder()
        let wrapper = try LocalFileKeyWrapper(path: folder.file("key", Self.good))
        #expect(
            wrapper.descriptor
                == KeyDescriptor(id: "file:f64ba42b7fa0cbd4", algorithm: "AES-256-GCM", origin: "file"))
        #expect(await wrapper.health(deadline: soon) == BackendHealth(isReady: true, detail: "ok"))
    }

    @Test func `a missing file is an error, and is made only where asked`() throws {
        let folder = try TemporaryFolder()
        let path = folder.path("key")
        try expectRefusal("No such file") { try LocalFileKeyWrapper(path: path) }
        #expect(!FileManager.default.fileExists(atPath: path))
        let made = try LocalFileKeyWrapper(path: path, createIfMissing: true)
        #expect(try folder.mode("key") == 0o600)
        #expect(try folder.names() == ["key"], "no draft is left")
        #expect(try LocalFileKeyWrapper(path: path, createIfMissing: true).descriptor == made.descriptor)
        #expect(try LocalFileKeyWrapper(path: path).descriptor == made.descriptor)
    }

    @Test func `a made file has mode 0600 whatever the umask`() async {
        // In a process of its own, since the umask is the process's.
        await #expect(processExitsWith: .success) {
            let folder = try TemporaryFolder()
            umask(0o277)
            _ = try LocalFileKeyWrapper(path: folder.path("key"), createIfMissing: true)
            try #require(try folder.mode("key") == 0o600)
        }
    }

    @Test func `all who create one file at once use one key`() async throws {
        let folder = try TemporaryFolder()
        let path = folder.path("key")
        let ids = try await withThrowingTaskGroup(of: String.self) { group in
            for _ in 0..<50 {
                group.addTask { try LocalFileKeyWrapper(path: path, createIfMissing: true).descriptor.id }
            }
            return try await group.reduce(into: Set<String>()) { $0.insert($1) }
        }
        #expect(ids.count == 1)
        #expect(try folder.names() == ["key"])
    }

    @Test func `two new keys are different`() throws {
        let folder = try TemporaryFolder()
        let a = try LocalFileKeyWrapper(path: folder.path("a"), createIfMissing: true)
        let b = try LocalFileKeyWrapper(path: folder.path("b"), createIfMissing: true)
        #expect(a.descriptor.id != b.descriptor.id)
    }

    @Test(arguments: [0o640, 0o604, 0o660, 0o644, 0o666, 0o777, 0o700, 0o601, 0o4600])
    func `a file more open than 0600 is refused and left as it is`(mode: Int) throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("key", Self.good, mode: mode)
        for create in [false, true] {
            try expectRefusal("more open than 0600; run: chmod 600 \(path)") {
                try LocalFileKeyWrapper(path: path, createIfMissing: create)
            }
        }
        #expect(try folder.mode("key") == mode)
    }

    @Test(arguments: [0o600, 0o400])
    func `a file as closed as 0600 or more is read`(mode: Int) throws {
        let folder = try TemporaryFolder()
        _ = try LocalFileKeyWrapper(path: folder.file("key", Self.good, mode: mode))
    }

    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func `a file of another user is refused`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("key", Self.good)
        try #require(chown(path, 65_534, 65_534) == 0)
        try expectRefusal("belongs to user 65534, not to 0") { try LocalFileKeyWrapper(path: path) }
    }

    @Test func `a symbolic link is refused, dangling or not, also where creating is asked`() throws {
        let folder = try TemporaryFolder()
        let target = try folder.file("key", Self.good)
        try FileManager.default.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: target)
        try FileManager.default.createSymbolicLink(
            atPath: folder.path("dangling"), withDestinationPath: folder.path("nowhere"))
        for name in ["link", "dangling"] {
            for create in [false, true] {
                try expectRefusal("symbolic link") {
                    try LocalFileKeyWrapper(path: folder.path(name), createIfMissing: create)
                }
            }
        }
        #expect(!FileManager.default.fileExists(atPath: folder.path("nowhere")))
    }

    @Test func `what is not a regular file is refused without waiting for it`() throws {
        let folder = try TemporaryFolder()
        try #require(mkfifo(folder.path("pipe"), 0o600) == 0)
        try expectRefusal("not a regular file") { try LocalFileKeyWrapper(path: folder.path("pipe")) }
        try FileManager.default.createDirectory(
            atPath: folder.path("folder"), withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        try expectRefusal("not a regular file") { try LocalFileKeyWrapper(path: folder.path("folder")) }
    }

    @Test func `a folder that is not there is an error that names the file`() throws {
        let folder = try TemporaryFolder()
        try expectRefusal("no/key") {
            try LocalFileKeyWrapper(path: folder.path("no/key"), createIfMissing: true)
        }
    }

    @Test(arguments: [
        ("", "does not start with"),
        ("postern-key-v2\n" + good, "does not start with"),
        (good.replacing("postern-key-v1", with: "postern-key-v10"), "does not start with"),
        (good + "more\n", "no others"),
        (good.replacing("id file:f64ba42b7fa0cbd4\n", with: ""), "no others"),
        (good.replacing("id ", with: "Id "), "not id"),
        (good.replacing("key I", with: "kay I"), "not key"),
        (good.replacing("ICEi", with: "IC*i"), "not base64"),
        (good.replacing("Pj8=", with: ""), "bytes, not 32"),
        (good.replacing("cbd4", with: "cbd5"), "mixed up"),
        (good.replacing("ICEi", with: "ICEj"), "mixed up"),
        ("\0\u{FF}" + good, "does not start with"),
    ])
    func `a malformed file is refused, and the error shows nothing of the key`(text: String, why: String) throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("key", text)
        let error = try expectRefusal(why) { try LocalFileKeyWrapper(path: path, createIfMissing: true) }
        #expect(!error.message.contains("IyQl"))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text, "it is left for its owner to mend")
    }

    @Test func `a file too long to be a key file is refused`() throws {
        let folder = try TemporaryFolder()
        let path = try folder.file("key", Self.good + String(repeating: "#\n", count: 2_000))
        try expectRefusal("longer than 4096") { try LocalFileKeyWrapper(path: path) }
    }

    @discardableResult
    private func expectRefusal(_ why: String, _ body: () throws -> LocalFileKeyWrapper) throws -> SecretError {
        let error = try #require(throws: SecretError.self) { _ = try body() }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains(why), "\(error)")
        return error
    }
}
