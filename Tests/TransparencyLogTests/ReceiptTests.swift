import Testing
import TransparencyLog

@Suite struct ReceiptTests {
    private static func receipt(extra: [UInt8]?) throws -> (Receipt, Ed25519Signer) {
        let signer = try Ed25519Signer(name: "log.example/a")
        var tree = LeafHashes(leaves: (0..<11).map { .leaf(Array("entry \($0)".utf8)) })
        let checkpoint = try Checkpoint(origin: "log.example/a", size: 11, root: try tree.root(size: 11))
        return (
            Receipt(
                extra: extra, proof: try InclusionProof(index: 6, size: 11, from: &tree),
                checkpoint: try checkpoint.signed(by: [signer])),
            signer
        )
    }

    @Test(arguments: [nil, [], Array("more".utf8)] as [[UInt8]?])
    func `a receipt reads as it was written, and proves its entry and no other`(extra: [UInt8]?) throws {
        let (receipt, signer) = try Self.receipt(extra: extra)
        let read = try Receipt(parsing: receipt.bytes)
        #expect(read == receipt)
        #expect(try read.verify(entry: Array("entry 6".utf8), keys: [signer.verifierKey]).size == 11)
        #expect(throws: TransparencyLogError.self) {
            try read.verify(entry: Array("entry 7".utf8), keys: [signer.verifierKey])
        }
        #expect(throws: TransparencyLogError.self) {
            try read.verify(entry: Array("entry 6".utf8), origin: "log.example/b", keys: [signer.verifierKey])
        }
        let other = try Ed25519Signer(name: "log.example/a")
        #expect(throws: TransparencyLogError.self) {
            try read.verify(entry: Array("entry 6".utf8), keys: [other.verifierKey])
        }
    }

    @Test func `a changed byte anywhere is seen`() throws {
        let (receipt, signer) = try Self.receipt(extra: nil)
        let bytes = receipt.bytes
        for place in bytes.indices {
            var changed = bytes
            changed[place] ^= 1
            #expect(throws: TransparencyLogError.self, "byte \(place)") {
                try Receipt(parsing: changed).verify(entry: Array("entry 6".utf8), keys: [signer.verifierKey])
            }
        }
    }

    @Test func `what is not a receipt is refused`() throws {
        let (receipt, _) = try Self.receipt(extra: Array("x".utf8))
        let text = String(decoding: receipt.bytes, as: UTF8.self)
        let hash = MerkleHash.emptyTree.base64
        for bad in [
            "", "\n\n", text.replacing("@v1", with: "@v2"), text.replacing("index 6", with: "index 06"),
            text.replacing("index 6", with: "index -6"), text.replacing("index 6\n", with: ""),
            text.replacing("extra ", with: "extra"), text.replacing("extra eA==", with: "extra eB=="),
            text.replacing("index 6\n", with: "index 6\nAAAA\n"),
            text.replacing("index 6\n", with: "index 6\n" + String(repeating: hash + "\n", count: 64)),
            String(text.prefix(60)),
        ] {
            #expect(throws: TransparencyLogError.self) { try Receipt(parsing: Array(bad.utf8)) }
        }
    }
}
