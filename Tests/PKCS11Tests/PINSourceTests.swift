import Foundation
import PosternProtocol
import SoftTokens
import Testing

@testable import PosternPKCS11

@Suite struct PINSourceTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test(arguments: ["pin-4711", "pin-4711\n", "pin-4711\r\n"])
    func `a newline at the end of a file does not count`(text: String) throws {
        let file = try folder.file("pin", text)
        #expect(try PINSource.file(file).read(deadline: soon) == SecretBytes("pin-4711"))
    }

    @Test func `other white space is of the PIN`() throws {
        let file = try folder.file("pin", " 12 34 \n\n")
        #expect(try PINSource.file(file).read(deadline: soon) == SecretBytes(" 12 34 \n"))
    }

    @Test func `a link is followed, as orchestrators mount secrets`() throws {
        let file = try folder.file("pin", "pin-4711", mode: 0o440)
        try FileManager.default.createSymbolicLink(atPath: folder.path("link"), withDestinationPath: file)
        #expect(try PINSource.file(folder.path("link")).read(deadline: soon) == SecretBytes("pin-4711"))
    }

    @Test func `files that cannot have a good PIN are refused`() throws {
        try expectRefusal("cannot be opened", .file(folder.path("none")))
        try expectRefusal("it is empty", .file(folder.file("empty", "\n")))
        try expectRefusal("others may use it", .file(folder.file("open", "pin-4711", mode: 0o644)))
        try expectRefusal("longer than", .file(folder.file("long", String(repeating: "1", count: 2_000))))
        try expectRefusal("not a regular file", .file("/dev/null"))
        try #require(mkfifo(folder.path("pipe"), 0o600) == 0)
        try expectRefusal("not a regular file", .file(folder.path("pipe")))
    }

    @Test func `a variable of the environment is read each time`() async {
        // In a process of its own, since the environment is the process's.
        await #expect(processExitsWith: .success) {
            let source = PINSource.environment("POSTERN_TEST_PIN")
            let error = #expect(throws: SecretError.self) { try source.read(deadline: soon) }
            try #require(error?.code == .keyUnavailable && error?.message.contains("is not set") == true)
            for pin in ["pin-4711", "5678"] {
                setenv("POSTERN_TEST_PIN", pin, 1)
                try #require(try source.read(deadline: soon) == SecretBytes(pin))
            }
        }
    }

    @Test func `a command's output is read, with its arguments as they are`() throws {
        #expect(
            try PINSource.command(["/usr/bin/printf", "%s", "a b;$HOME"]).read(deadline: soon)
                == SecretBytes("a b;$HOME"))
        #expect(try PINSource.command(["/bin/echo", "pin-4711"]).read(deadline: soon) == SecretBytes("pin-4711"))
    }

    @Test func `a command gets no standard input and no descriptors of ours`() throws {
        let ours = open("/dev/zero", O_RDONLY)
        try #require(ours > 2)
        defer { close(ours) }
        let script = "cat; test -e /proc/self/fd/\(ours) && echo inherited; echo pin-4711"
        #expect(try PINSource.command(["/bin/sh", "-c", script]).read(deadline: soon) == SecretBytes("pin-4711"))
    }

    @Test func `a command that fails is an error, whatever it printed`() throws {
        try expectRefusal("status 3", .command(["/bin/sh", "-c", "echo pin-4711; exit 3"]))
        try expectRefusal("status 137", .command(["/bin/sh", "-c", "echo pin-4711; kill -KILL $$"]))
        try expectRefusal("cannot be run", .command([folder.path("none")]))
        try expectRefusal("is empty", .command(["/bin/true"]))
        try expectRefusal("more than", .command(["/usr/bin/yes"]))
    }

    @Test func `a command that does not end is killed with its children when the deadline passes`() throws {
        let started = folder.path("started")
        let script = "sleep 600 & echo $! > \(started).new; mv \(started).new \(started); wait"
        // Long enough to start, however busy the machine; the test does not wait for longer than that.
        let error = try #require(throws: SecretError.self) {
            try PINSource.command(["/bin/sh", "-c", script]).read(deadline: .after(.seconds(5)))
        }
        #expect(error.code == .deadlineExceeded)
        let text = try String(contentsOfFile: started, encoding: .utf8)
        let child = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        let limit = soon
        // Gone, or dead and not yet collected by the system's first process.
        while kill(child, 0) == 0, try !isZombie(child) {
            try #require(!limit.hasPassed, "the command's child lives on")
            usleep(2_000)
        }
    }

    private func isZombie(_ process: pid_t) throws -> Bool {
        // Gone between the two questions is as good.
        guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
        return status.contains(") Z ")
    }

    private func expectRefusal(_ why: String, _ source: PINSource) throws {
        let error = try #require(throws: SecretError.self) { try source.read(deadline: soon) }
        #expect(error.code == .keyUnavailable)
        #expect(error.message.contains(why), "\(error)")
        #expect(!error.message.contains("pin-4711"))
    }
}
