// The bytes of wrapped keys, as docs/kms.md describes them.

import Foundation
import PosternProtocol
import Testing

@testable import CloudKMS

@Suite struct `Blobs` {
    /// Made with nothing of this repository, from the description.
    private static let examples = [
        (
            WrappedBlob(.aws, keyID: anyKey, label: "llm", ciphertext: [0xC0, 0xFF, 0xEE]),
            "0101004b61726e3a6177733a6b6d733a65752d776573742d313a3131313132323232333333333a6b65792f31323334616263642d3132"
                + "61622d333463642d353665662d31323334353637383930616200036c6c6d0003c0ffee4066ee38fdbca9657a09446040078e75"
                + "9141f1066ccaf93c2a997bab71cecf77"
        ),
        (
            WrappedBlob(
                .gcp, keyID: "projects/p/locations/global/keyRings/r/cryptoKeys/k", label: "7",
                ciphertext: [0xC0, 0xFF, 0xEE]),
            "0102003370726f6a656374732f702f6c6f636174696f6e732f676c6f62616c2f6b657952696e67732f722f63727970746f4b6579732f"
                + "6b0001370003c0ffeead778684b395d6d5e51fc1859de405211df130e744d1fbe3290a628dcf654660"
        ),
    ]

    @Test(arguments: examples)
    func `a blob is what the guide says that it is`(blob: WrappedBlob, hex: String) throws {
        #expect(blob.bytes.hexadecimal == hex)
        #expect(try WrappedBlob(blob.bytes, of: blob.service, keyID: blob.keyID) == blob)
        let guide = Places.guide.replacing("\n", with: "")
        #expect(guide.contains(hex))
    }

    @Test func `a whole blob of another key or cloud names that key`() {
        let (aws, gcp) = (Self.examples[0].0, Self.examples[1].0)
        for (blob, service, id) in [(aws, .aws, "other"), (gcp, .aws, gcp.keyID)] as [(_, WrappedBlob.Service, _)] {
            let error = #expect(throws: SecretError.self) { try WrappedBlob(blob.bytes, of: service, keyID: id) }
            #expect(error?.code == .integrityFailure)
            #expect(error?.message.contains(blob.keyID) == true)
        }
        let strange = WrappedBlob(.aws, keyID: "a\u{1B}[2J", label: "", ciphertext: [1])
        let error = #expect(throws: SecretError.self) { try WrappedBlob(strange.bytes, of: .aws, keyID: "other") }
        #expect(error?.message.contains("\u{1B}") == false)
    }

    private enum Places {
        static let guide: String = {
            let file = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .deletingLastPathComponent().appending(path: "docs/kms.md")
            // A guide that is not there has no examples.
            return (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        }()
    }
}
