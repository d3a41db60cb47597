import PosternPolicy
import Testing

@Suite struct FuzzTests {
    private static let tokens = [
        "[", "]", "{", "}", ": ", "- ", "? ", "&a ", "*a ", "!t ", "'", "\"", "\n", "\n  ", "#", "|", ">", "%", "@",
        "\t", "\0",
        "\u{FEFF}", "\u{2028}", "é", "\\x", "---\n", "...\n", "**", "/", "0", "~", "null", "all", "1e9", "<<: ",
    ]

    /// Neither crashes nor hangs, and says where each problem is.
    private func check(_ yaml: String) {
        do throws(PolicyProblems) {
            let policy = try Policy.parse(yaml, file: "f")
            #expect(policy.ruleCount > 0)
        } catch {
            #expect(!error.problems.isEmpty)
            #expect(error.problems.allSatisfy { $0.line >= 1 && $0.column >= 1 && !$0.message.isEmpty })
        }
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>)
    func `whatever happens to a valid file, parsing answers`(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let valid = Array(Sample.yaml.utf8)
        for _ in 0..<500 {
            var bytes = valid
            for _ in 0..<Int.random(in: 1...6, using: &random) {
                let place = Int.random(in: 0...bytes.count, using: &random)
                let end = min(bytes.count, place + Int.random(in: 0...20, using: &random))
                switch Int.random(in: 0..<5, using: &random) {
                case 0: bytes.removeSubrange(place..<end)
                case 1:
                    bytes.insert(contentsOf: bytes[place..<end], at: Int.random(in: 0...bytes.count, using: &random))
                case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: place)
                case 3:
                    bytes.insert(contentsOf: Array((Self.tokens.randomElement(using: &random) ?? "").utf8), at: place)
                default: bytes.removeSubrange(place...)
                }
            }
            check(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test func `random tokens are answered too`() {
        var random = SeededGenerator(seed: 99)
        for _ in 0..<1_000 {
            let count = Int.random(in: 0...200, using: &random)
            check((0..<count).map { _ in Self.tokens.randomElement(using: &random) ?? "" }.joined())
        }
    }

    @Test(arguments: ["[", "{", "- ", "? ", "{a: ", "[{", "'", "\"", "? {", "&a [", "!t ", "a: \n", "*a", "#", "|\n "])
    func `64 KiB of one token end soon`(token: String) {
        check(String(repeating: token, count: 65_536 / token.utf8.count))
    }

    @Test func `deep nesting that is closed again is answered`() {
        for depth in [100, 900, 999, 1_000, 5_000] {
            check(String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
            check(String(repeating: "{a: ", count: depth) + String(repeating: "}", count: depth))
            check(String(repeating: "{? ", count: depth) + String(repeating: "}", count: depth))
        }
    }
}
