import KeyWrapperConformance
import LocalKey
import Testing

@Suite struct ConformanceTests {
    private static let harness = KeyWrapperHarness("key file") {
        let folder = try TemporaryFolder()
        return KeyWrapperHarness.Instance(
            try LocalFileKeyWrapper(path: folder.path("key"), createIfMissing: true),
            foreign: try LocalFileKeyWrapper(path: folder.path("other"), createIfMissing: true),
            reopen: { try LocalFileKeyWrapper(path: folder.path("key")) })
    }

    @Test(arguments: KeyWrapperConformance.checks)
    func `a key file keeps the contract of key wrappers`(check: KeyWrapperCheck) async throws {
        try await check.run(on: Self.harness)
    }
}
