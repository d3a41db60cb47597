import Crypto
import Testing
import TransparencyLog

@Suite struct CheckpointTests {
    // C2SP tlog-cosignature: a checkpoint with its log's signature and a witness's.
    static let example = """
        example.com/behind-the-sofa
        20852163
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+\
        ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/\
        zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==

        """

    @Test func `the specification's example reads as it says, and is written as it was read`() throws {
        let note = try SignedNote(parsing: Array(Self.example.utf8))
        let checkpoint = try Checkpoint(text: note.text)
        #expect(checkpoint.origin == "example.com/behind-the-sofa")
        #expect(checkpoint.size == 20_852_163)
        #expect(checkpoint.root.base64 == "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
        #expect(checkpoint.text == note.text)
        #expect(note.bytes == Array(Self.example.utf8))
        // "time 1679315147" in the same document.
        #expect(Cosignature(note.signatures[1].bytes)?.time == 1_679_315_147)
        #expect(
            Cosignature.message(note.text, time: 1_679_315_147)
                == "cosignature/v1\ntime 1679315147\n" + note.text)
    }

    private static let root = MerkleHash.emptyTree.base64

    @Test(arguments: [
        "", "\n", "a\n1\n", "a\n01\n\(root)\n", "a\n-1\n\(root)\n", "a\n+1\n\(root)\n", "a\n 1\n\(root)\n",
        "a\n0x1\n\(root)\n", "a\n9223372036854775808\n\(root)\n", "a\n99999999999999999999\n\(root)\n",
        "\n1\n\(root)\n",
        "a\n1\n\(root)A\n", "a\n1\n\(root.dropLast())\n", "a\n1\nAAAA\n", "a\n1\n\(root)\n\n",
        "a\n1\n\(root)\nx\n\ny\n",
        "a\n1\n\(root)", "a\n1\n\(root.replacing("VQ", with: "VR").dropLast(2))V=\n",
    ]) func `what is not a checkpoint is refused`(text: String) {
        #expect(throws: TransparencyLogError.self) { try Checkpoint(text: text) }
    }

    @Test func `extension lines are kept`() throws {
        let text = "a\n0\n\(Self.root)\nmore\nand more\n"
        let checkpoint = try Checkpoint(text: text)
        #expect(checkpoint.extensions == ["more", "and more"])
        #expect(checkpoint.text == text)
    }

    @Test func `a checkpoint of another log or by another key is not opened`() throws {
        let signer = try Ed25519Signer(name: "log.example/a")
        let checkpoint = try Checkpoint(origin: "log.example/a", size: 1, root: .emptyTree)
        let note = try checkpoint.signed(by: [signer])
        #expect(try Checkpoint(note, origin: "log.example/a", keys: [signer.verifierKey]) == checkpoint)
        #expect(throws: TransparencyLogError.self) {
            try Checkpoint(note, origin: "log.example/b", keys: [signer.verifierKey])
        }
        let other = try Ed25519Signer(name: "log.example/a")
        #expect(throws: TransparencyLogError.self) { try Checkpoint(note, keys: [other.verifierKey]) }
    }

    @Test func `a witness's cosignature is taken over if it holds, and others' lines are not`() throws {
        let log = try Ed25519Signer(name: "log.example/a")
        var note = try Checkpoint(origin: "log.example/a", size: 5, root: .leaf([5])).signed(by: [log])
        let key = Curve25519.Signing.PrivateKey()
        let name = "witness.example/w"
        let verifier = try VerifierKey(
            name: name, kind: .cosignature, publicKey: Array(key.publicKey.rawRepresentation))
        #expect(try VerifierKey(verifier.description) == verifier)
        let good = try Cosignature.sign(note.text, time: 1_795_507_200, name: name, key: key)
        let foreign = try Cosignature.sign(
            note.text, time: 1, name: "witness.example/x", key: Curve25519.Signing.PrivateKey())
        let log1 = note
        let signers = try note.append(cosignatures: Array((foreign.line + good.line).utf8), by: [verifier])
        #expect(signers == [verifier])
        #expect(note.signatures.count == 2)
        #expect(try note.verify(with: [verifier, log.verifierKey]).count == 2)

        for place in [0, 7, 8, 71] {
            var bytes = good.bytes
            bytes[place] ^= 1
            let bad = NoteSignature(name: name, keyID: good.keyID, bytes: bytes)
            var copy = log1
            #expect(throws: TransparencyLogError.self) {
                try copy.append(cosignatures: Array(bad.line.utf8), by: [verifier])
            }
            #expect(copy == log1, "nothing is taken over")
        }
        var copy = log1
        #expect(throws: TransparencyLogError.self) {
            try copy.append(cosignatures: Array(foreign.line.utf8), by: [verifier])
        }
        #expect(throws: TransparencyLogError.self) { try copy.append(cosignatures: [], by: [verifier]) }
        // A plain signature is no cosignature, whatever the key.
        let plain = NoteSignature(
            name: name, keyID: good.keyID, bytes: Array(try key.signature(for: Array(note.text.utf8))))
        #expect(throws: TransparencyLogError.self) {
            try copy.append(cosignatures: Array(plain.line.utf8), by: [verifier])
        }
    }
}
