// Delivery to a file.

import Foundation
import PosternDelivery
import SyslogServers
import TestPrograms
import Testing

@Suite(.timeLimit(.minutes(5))) struct FileSinkTests {
    private static func sink(
        _ path: String, _ format: RecordFormat = .json, fromNow: Bool = false
    ) -> SinkOptions {
        SinkOptions(name: "sink", kind: .file(path: path), format: format, startsAtEnd: fromNow)
    }

    @Test func `every record is there once and in order, through restarts`() async throws {
        let log = try LogUnderDelivery()
        for _ in 0..<3 {
            try log.start([Self.sink(log.file("out"))])
            try await log.append(2_500)
            try await log.caughtUp()
            await log.stop()
        }
        #expect(Arrival(file: log.file("out")).problem(upTo: 7_500, breaks: 0) == nil)
        #expect(Arrival(file: log.file("out")).indexes.count == 7_500)
    }

    @Test func `what was recorded while there was no delivery comes at the next start`() async throws {
        let log = try LogUnderDelivery()
        try log.start([])
        try await log.append(700)
        await log.stop()
        try log.start([Self.sink(log.file("out"))])
        try await log.caughtUp()
        await log.stop()
        #expect(Arrival(file: log.file("out")).problem(upTo: 700, breaks: 0) == nil)
    }

    @Test func `a new sink that starts now is given nothing of before, and all of after, also after a restart`()
        async throws
    {
        let log = try LogUnderDelivery()
        try log.start([])
        try await log.append(100)
        await log.stop()
        try log.start([Self.sink(log.file("out"), fromNow: true)])
        try await eventually("the cursor is written") {
            FileManager.default.fileExists(atPath: log.auditDirectory + "/sinks/sink.cursor")
        }
        await log.stop()
        try log.start([])
        try await log.append(100)
        await log.stop()
        try log.start([Self.sink(log.file("out"), fromNow: true)])
        try await log.append(100)
        try await log.caughtUp()
        await log.stop()
        #expect(Arrival(file: log.file("out")).problem(upTo: 300, from: 100, breaks: 0) == nil)
    }

    @Test func `a file that is renamed is left alone and a new one goes on where it ended`() async throws {
        let log = try LogUnderDelivery()
        try log.start([Self.sink(log.file("out"))])
        for round in 0..<4 {
            try await log.append(300)
            try await log.caughtUp()
            if round < 3 { try FileManager.default.moveItem(atPath: log.file("out"), toPath: log.file("out.\(round)")) }
        }
        await log.stop()
        let text = try ["out.0", "out.1", "out.2", "out"].map {
            try String(contentsOfFile: log.file($0), encoding: .utf8)
        }
        #expect(text.allSatisfy { !$0.isEmpty })
        #expect(Arrival(lines: text.joined().split(separator: "\n")).problem(upTo: 1_200, breaks: 0) == nil)
    }

    @Test func `a line that a crash left unfinished is cut off and its record comes again`() async throws {
        let log = try LogUnderDelivery()
        try log.start([Self.sink(log.file("out"))])
        try await log.append(10)
        try await log.caughtUp()
        await log.stop()
        let file = try #require(FileHandle(forUpdatingAtPath: log.file("out")))
        try file.seekToEnd()
        try file.write(contentsOf: Data((#"{"index":10,"leaf"# + String(repeating: "x", count: 100_000)).utf8))
        try file.close()
        try log.start([Self.sink(log.file("out"))])
        try await log.append(10)
        try await log.caughtUp()
        await log.stop()
        #expect(Arrival(file: log.file("out")).problem(upTo: 20, breaks: 0) == nil)
        #expect(try !String(contentsOfFile: log.file("out"), encoding: .utf8).contains("xxxx"))
    }

    @Test func `a cursor that cannot be read stops its sink with a word of what to do, and no other`() async throws {
        let log = try LogUnderDelivery()
        let folder = log.auditDirectory + "/sinks"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: log.auditDirectory)
        try "no cursor".write(toFile: folder + "/sink.cursor", atomically: true, encoding: .utf8)
        try log.start([
            Self.sink(log.file("out")), SinkOptions(name: "other", kind: .file(path: log.file("other"))),
        ])
        try await log.append(10)
        try await log.caughtUp("other")
        try await eventually("it is told") { log.statuses.contains { $0.problem?.contains("remove it") == true } }
        try FileManager.default.removeItem(atPath: folder + "/sink.cursor")
        try await log.caughtUp()
        await log.stop()
        #expect(Arrival(file: log.file("out")).problem(upTo: 10, breaks: 0) == nil)
    }

    @Test func `a sink that was ahead of a log that is another, is given all of the new one`() async throws {
        let log = try LogUnderDelivery()
        let folder = log.auditDirectory + "/sinks"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: log.auditDirectory)
        try #"{"next":1000,"origin":"elsewhere","v":1}"#
            .write(toFile: folder + "/sink.cursor", atomically: true, encoding: .utf8)
        try log.start([Self.sink(log.file("out"))])
        try await log.append(10)
        try await log.caughtUp()
        await log.stop()
        #expect(Arrival(file: log.file("out")).problem(upTo: 10, breaks: 0) == nil)
    }

    @Test(arguments: RecordFormat.allCases) func `records of 64 KiB arrive whole`(format: RecordFormat) async throws {
        let log = try LogUnderDelivery()
        try log.start([Self.sink(log.file("out"), format)])
        try await log.append(40, padding: 64_000)
        try await log.caughtUp()
        await log.stop()
        let lines = try String(contentsOfFile: log.file("out"), encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 40)
        #expect(lines.allSatisfy { $0.contains(String(repeating: "x", count: 64_000)) })
    }

    @Test(.enabled(if: getuid() == 0, "mounting a small file system takes root"))
    func `a full disk leaves no half line, and delivery goes on when there is room`() async throws {
        let log = try LogUnderDelivery()
        let disk = log.directory.appending(path: "disk")
        try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
        let mounted = try await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", disk.path])
        guard mounted.code == 0 else {
            print("Skipped: this system does not let even root mount a tmpfs.")
            return
        }
        do {
            let path = disk.appending(path: "out").path
            try log.start([Self.sink(path)])
            try await log.append(4_000)
            try await eventually("it is told") {
                log.statuses.contains { $0.problem?.contains("No space left") == true && $0.lag > 0 }
            }
            let written = try Data(contentsOf: URL(filePath: path))
            #expect(written.last == UInt8(ascii: "\n"))
            try await mustRun("mount", ["-o", "remount,size=64m", disk.path])
            try await log.caughtUp()
            await log.stop()
            #expect(Arrival(file: path).problem(upTo: 4_000, breaks: 0) == nil)
            #expect(Arrival(file: path).indexes.count == 4_000)
        } catch {
            _ = try await run("umount", ["--lazy", disk.path])
            throw error
        }
        try await mustRun("umount", ["--lazy", disk.path])
    }
}
