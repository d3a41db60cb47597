import Crypto
import Testing
import TransparencyLog

@Suite struct NoteTests {
    // C2SP signed-note, "Example".
    static let exampleKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    static let example = """
        This is an example message.

        — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

        """

    // note_test.go of golang.org/x/mod/sumdb/note.
    static let peterKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    static let peterSecret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    static let enochKey = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
    static let text = """
        If you think cryptography is the answer to your problem,
        then you don't know what your problem is.

        """
    static let peter =
        "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
    static let enoch =
        "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

    private func open(_ note: String, _ keys: [String]) throws -> [VerifierKey] {
        try SignedNote(parsing: Array(note.utf8)).verify(with: try keys.map { try VerifierKey($0) })
    }

    @Test func `the example of the specification holds, and is written as it was read`() throws {
        #expect(try open(Self.example, [Self.exampleKey]).map(\.description) == [Self.exampleKey])
        let note = try SignedNote(parsing: Array(Self.example.utf8))
        #expect(note.bytes == Array(Self.example.utf8))
        #expect(note.text == "This is an example message.\n")
    }

    @Test func `Go's key signs as Go does, and is written as Go writes it`() throws {
        let signer = try Ed25519Signer(encoded: Self.peterSecret)
        #expect(signer.verifierKey.description == Self.peterKey)
        #expect(signer.encoded == Self.peterSecret)
        let note = try SignedNote(text: Self.text, signatures: [try signer.signature(on: Self.text)])
        #expect(note.bytes == Array((Self.text + "\n" + Self.peter).utf8))
    }

    @Test func `signatures by unknown keys are passed over, and one by a known key that fails is not`() throws {
        let both = Self.text + "\n" + Self.peter + Self.enoch
        #expect(try open(both, [Self.peterKey]).count == 1)
        #expect(try open(both, [Self.enochKey, Self.peterKey]).count == 2)
        #expect(throws: TransparencyLogError(.unknownKey, "no signature is by a known key")) {
            try open(both, [Self.exampleKey])
        }
        #expect(throws: TransparencyLogError(.unknownKey, "no signature is by a known key")) { try open(both, []) }
        let changed = both.replacing("answer", with: "Answer")
        #expect(throws: TransparencyLogError(.badSignature, "the signature of PeterNeumann does not hold")) {
            try open(changed, [Self.peterKey])
        }
        let broken = Self.text + "\n" + Self.peter.prefix(60) + "ABCD" + Self.peter.dropFirst(60)
        #expect(throws: TransparencyLogError(.badSignature, "the signature of PeterNeumann does not hold")) {
            try open(broken, [Self.peterKey])
        }
        // The same name or the same id alone is not the same key.
        let other = try VerifierKey(
            name: "PeterNeumann", publicKey: Array(Curve25519.Signing.PrivateKey().publicKey.rawRepresentation))
        #expect(throws: TransparencyLogError(.unknownKey, "no signature is by a known key")) {
            try SignedNote(parsing: Array(both.utf8)).verify(with: [other])
        }
    }

    @Test func `a text with empty lines ends at the last of them`() throws {
        let signer = try Ed25519Signer(encoded: Self.peterSecret)
        let text = "first\n\n— not a signature\n\nlast\n"
        let note = try SignedNote(text: text, signatures: [try signer.signature(on: text)])
        let read = try SignedNote(parsing: note.bytes)
        #expect(read == note)
        try read.verify(with: [signer.verifierKey])
    }

    @Test(arguments: [
        "", "\n", "\n\n", text, text + "\n", text + "\n" + peter.dropLast(), "\u{1}" + text + "\n" + peter,
        text + "\r\n" + peter, text + "\n" + "— Bad Name x08go/ZJkuA=\n", text + "\n" + peter + "Unexpected line.\n",
        text + "\n" + peter + "\n", text + "\n— Peter+Neumann x08go/ZJkuA=\n",
        text + "\n— Peter\u{2003}N x08go/ZJkuA=\n",
        text + "\n—  x08go/ZJkuA=\n", text + "\n— Peter x08go/ZJkuA\n", text + "\n— Peter x08go/ZJkuB=\n",
        text + "\n— Peter x08gow==\n", text + "\n- Peter x08go/ZJkuA=\n",
        text + "\n" + String(repeating: peter, count: 101),
    ]) func `what is not a note is refused`(note: String) {
        #expect(throws: TransparencyLogError.self) { try SignedNote(parsing: Array(note.utf8)) }
    }

    @Test func `bytes that are not UTF-8 are refused, and huge ones before they are looked at`() {
        #expect(throws: TransparencyLogError.self) {
            try SignedNote(parsing: [0xFF] + Array((Self.text + "\n" + Self.peter).utf8))
        }
        #expect(throws: TransparencyLogError.self) {
            try SignedNote(parsing: [UInt8](repeating: 0x61, count: SignedNote.maximumBytes + 1))
        }
    }

    @Test func `no part and no neighbour of a verifier key is one`() throws {
        let key = Array(Self.peterKey.utf8)
        for start in 0..<key.count {
            for end in start + 1...key.count where end - start < key.count {
                #expect(throws: TransparencyLogError.self) {
                    try VerifierKey(String(decoding: key[start..<end], as: UTF8.self))
                }
            }
        }
        for place in key.indices {
            var changed = key
            changed[place] += 1
            #expect(throws: TransparencyLogError.self) { try VerifierKey(String(decoding: changed, as: UTF8.self)) }
        }
        // A key of wrong length and one of unknown type, with ids to match (note_test.go).
        for bad in [
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            #expect(throws: TransparencyLogError.self) { try VerifierKey(bad) }
        }
    }

    @Test func `no part and no neighbour of a signing key is one, and errors do not show it`() throws {
        let key = Array(Self.peterSecret.utf8)
        for end in 0..<key.count {
            #expect(throws: TransparencyLogError.self) {
                try Ed25519Signer(encoded: String(decoding: key[..<end], as: UTF8.self))
            }
        }
        for place in key.indices {
            var changed = key
            changed[place] += 1
            do {
                _ = try Ed25519Signer(encoded: String(decoding: changed, as: UTF8.self))
                Issue.record("taken: \(place)")
            } catch {
                #expect(!error.description.contains("AYEKFALVFGyNhPJE"))
            }
        }
    }

    @Test func `what is written with a wrong text or name is refused before it is signed`() {
        for text in ["abc", "", "a\u{7}\n", "a\tb\n"] {
            #expect(throws: TransparencyLogError.self) { try SignedNote(text: text) }
        }
        for name in ["", "a b", "a+b", "a\u{A0}b", "a\nb"] {
            #expect(throws: TransparencyLogError.self) { try Ed25519Signer(name: name) }
        }
    }
}
