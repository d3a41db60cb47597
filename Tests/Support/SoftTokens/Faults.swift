// The module that misbehaves as told, as tests see it: in their process, or in one that they have started.

public import CFaultControl
import Foundation
import Synchronization
import Testing

/// What one copy of the faulty module is told, and has seen.
public final class Faults: Sendable {
    /// The module's path.
    public let library: String
    // Read and written atomically by the functions of CFaultControl.
    private nonisolated(unsafe) let numbers: UnsafeMutablePointer<UInt64>
    private static let byteCount = Int(fault_number_count.rawValue) * MemoryLayout<UInt64>.size

    /// Puts a copy of the module in front of another.
    public init(in folder: TemporaryFolder, real: String) throws {
        // The build puts it beside the program that runs the tests.
        let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        library = try folder.copy(
            URL(fileURLWithPath: tests).deletingLastPathComponent().appending(path: "libFaultyPKCS11.so").path)
        try folder.file("real", real)
        let file = open(folder.path("control"), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        try #require(file >= 0 && ftruncate(file, Self.byteCount) == 0)
        defer { close(file) }
        let memory = try #require(mmap(nil, Self.byteCount, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0))
        try #require(memory != MAP_FAILED)
        // Stays mapped: the module looks at it for the life of the process.
        numbers = memory.assumingMemoryBound(to: UInt64.self)
    }

    /// One of the numbers.
    public subscript(_ number: fault_number) -> Int {
        get { Int(truncatingIfNeeded: fault_load(numbers, Int32(number.rawValue))) }
        set { fault_store(numbers, Int32(number.rawValue), UInt64(bitPattern: Int64(newValue))) }
    }

    /// How often a function was called.
    public func calls(_ function: fault_function) -> Int {
        Int(fault_load(numbers, Int32(fault_calls.rawValue + function.rawValue)))
    }

    /// Has the next calls of a function answer something instead of being made.
    public func fail(_ function: fault_function, with answer: UInt, times: Int = 1) {
        fault_store(numbers, Int32(fault_answer.rawValue + function.rawValue), UInt64(answer))
        fault_store(numbers, Int32(fault_failures.rawValue + function.rawValue), UInt64(times))
    }

    /// Has the next calls of a function held, until they are released.
    public func hold(_ function: fault_function, times: Int = 1) {
        fault_store(numbers, Int32(fault_hang.rawValue + function.rawValue), UInt64(times))
    }

    /// Lets go on what is held, and holds nothing more.
    public func release() {
        for function in 0..<fault_function_count.rawValue {
            fault_store(numbers, Int32(fault_hang.rawValue + function), 0)
        }
        _ = fault_add(numbers, Int32(fault_release.rawValue), 1)
    }
}
