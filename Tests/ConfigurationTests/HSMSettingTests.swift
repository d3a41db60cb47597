// Keys in HSMs: key-encryption keys and the listeners' own.

import PosternConfiguration
import Testing

@Suite struct `Keys in HSMs` {
    private static let uri =
        "pkcs11:token=prod;object=postern-kek?module-path=/usr/lib/hsm.so&pin-source=file:/run/secrets/pin"

    @Test func `a key is named by its URI, in the file, the environment and on the command line`() throws {
        let file = try load(yaml: "envelope:\n  keys:\n    - pkcs11: \"\(Self.uri)\"\n    - file: kek\n")
        #expect(file.envelope.keys.map(\.origin) == [.pkcs11, .file])
        #expect(file.envelope.keys.first?.value == Self.uri)
        let environment = try load(environment: ["POSTERN_ENVELOPE_KEYS": "pkcs11=\(Self.uri)"])
        let commandLine = try load(overrides: ["envelope.keys=pkcs11=\(Self.uri)"])
        for loaded in [environment, commandLine] {
            #expect(loaded.envelope.keys.map(\.value) == [Self.uri])
            #expect(!loaded.usesVault)
        }
    }

    @Test(arguments: [
        "kek", "pkcs11:", "pkcs11:token=prod?module-path=/m.so", "pkcs11:token=prod;object=kek",
        "pkcs11:token=a b;object=kek?module-path=/m.so", "pkcs11:objectx=kek?module-path=/m.so",
    ])
    func `a URI without key or module, or with what no URI has, is refused`(uri: String) throws {
        #expect(try problems(yaml: "envelope:\n  keys:\n    - pkcs11: \"\(uri)\"\n").count == 1)
        if uri.hasPrefix("pkcs11:") { #expect(try problems(overrides: ["grpc.key=\(uri)"]).count == 1) }
    }

    @Test func `a PIN in the configuration is refused without being repeated, wherever it is`() throws {
        let bad = Self.uri + "&pin-value=1234-canary"
        for found in [
            try problems(yaml: "envelope:\n  keys:\n    - pkcs11: \"\(bad)\"\n"),
            try problems(environment: ["POSTERN_ENVELOPE_KEYS": "pkcs11=\(bad)"]),
            try problems(overrides: ["envelope.keys=pkcs11=\(bad)"]),
            try problems(overrides: ["grpc.key=\(bad)"]), try problems(overrides: ["admin.key_file=\(bad)"]),
        ] {
            #expect(found.count == 1)
            #expect(found.first?.contains("pin-source") == true, "\(found)")
            #expect(found.first?.contains("canary") == false, "\(found)")
        }
    }

    @Test func `a listener's key is a path from the file's folder, or a URI as it is`() throws {
        let loaded = try load(overrides: ["grpc.key=\(Self.uri)"])
        #expect(loaded.grpc.key == .pkcs11(Self.uri))
        guard case .file(let path) = loaded.admin.keyFile else {
            Issue.record("\(loaded.admin.keyFile)")
            return
        }
        #expect(path.hasSuffix("s.key"))
    }
}
