import Foundation
import Testing
import TransparencyLog

@Suite struct TreeTests {
    // Reference data of Certificate Transparency's implementations (merkle_tree_test.cc of
    // github.com/google/certificate-transparency; also behind the probes of transparency-dev/merkle).
    static let inputs = [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ]
    static let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]

    @Test func `the roots of the published reference tree come out, leaf by leaf`() {
        var range = CompactRange()
        #expect(range.root.bytes == hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"))
        for (input, root) in zip(Self.inputs, Self.roots) {
            range.append(.leaf(hex(input)))
            #expect(range.root.bytes == hex(root))
        }
    }

    // rfc6962_test.go of transparency-dev/merkle.
    @Test func `leaves and nodes hash as published`() throws {
        #expect(
            MerkleHash.leaf(Array("L123456".utf8)).bytes
                == hex("395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"))
        // note_test.go of golang.org/x/mod/sumdb/tlog.
        #expect(
            MerkleHash.leaf(Array("hello world".utf8)).base64 == "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=")
    }

    @Test func `a compact range agrees with RFC 6962's definition at every size, and takes whole subtrees`() throws {
        var leaves = LeafHashes()
        var range = CompactRange()
        for count in 0..<300 {
            #expect(range.root == LeafHashes.treeHash(leaves.leaves[...]))
            #expect(range.subtrees.count == count.nonzeroBitCount)
            let leaf = MerkleHash.leaf(Array("leaf \(count)".utf8))
            leaves.leaves.append(leaf)
            range.append(leaf)
        }
        var blocks = CompactRange()
        for index in 0..<4 {
            let isAppended = blocks.append(subtree: try leaves.hash(level: 6, index: UInt64(index)), level: 6)
            #expect(isAppended)
        }
        let next = try leaves.hash(level: 2, index: 64)
        let isAppended = blocks.append(subtree: next, level: 2)
        #expect(isAppended)
        #expect(blocks.root == LeafHashes.treeHash(leaves.leaves[..<260]))
        let isTaken = blocks.append(subtree: next, level: 3)
        #expect(!isTaken, "260 is no multiple of 8")
        #expect(blocks.size == 260)
    }

    @Test func `every inclusion proof holds for its leaf, and for no other leaf, index, size or root`() throws {
        var tree = LeafHashes(leaves: (0..<70).map { .leaf(Array("leaf \($0)".utf8)) })
        for size in [1, 2, 3, 7, 8, 9, 31, 32, 33, 70] {
            let root = try tree.root(size: UInt64(size))
            for index in 0..<size {
                let proof = try InclusionProof(index: UInt64(index), size: UInt64(size), from: &tree)
                try proof.verify(leaf: tree.leaves[index], size: UInt64(size), root: root)
                #expect(throws: TransparencyLogError.self) {
                    try proof.verify(leaf: .leaf(Array("other".utf8)), size: UInt64(size), root: root)
                }
                #expect(throws: TransparencyLogError.self) {
                    try InclusionProof(index: UInt64(index ^ 1), hashes: proof.hashes)
                        .verify(leaf: tree.leaves[index], size: UInt64(size), root: root)
                }
                for wrong in [Array(proof.hashes.dropLast()), proof.hashes + [root]] where wrong != proof.hashes {
                    #expect(throws: TransparencyLogError.self) {
                        try InclusionProof(index: UInt64(index), hashes: wrong)
                            .verify(leaf: tree.leaves[index], size: UInt64(size), root: root)
                    }
                }
            }
        }
        let kept = tree
        #expect(throws: TransparencyLogError.self) {
            var tree = kept
            return try InclusionProof(index: 70, size: 70, from: &tree)
        }
    }

    @Test func `every consistency proof holds between its sizes, and not with another root`() throws {
        var tree = LeafHashes(leaves: (0..<40).map { .leaf(Array("leaf \($0)".utf8)) })
        for second in 0...UInt64(40) {
            for first in 0...second {
                let proof = try ConsistencyProof(from: first, to: second, from: &tree)
                let roots = (try tree.root(size: first), try tree.root(size: second))
                try proof.verify(from: first, roots.0, to: second, roots.1)
                let wrong = MerkleHash.leaf([1])
                #expect(throws: TransparencyLogError.self) {
                    try proof.verify(from: first, wrong, to: second, roots.1)
                }
                if first > 0 {
                    #expect(throws: TransparencyLogError.self) {
                        try proof.verify(from: first, roots.0, to: second, wrong)
                    }
                }
            }
        }
    }

    @Test func `the published probes of proofs end as they should`() throws {
        let probes = try Probes.load()
        try #require(probes.inclusion.count == 98 && probes.consistency.count == 98)
        for probe in probes.inclusion {
            var holds = false
            if let root = Probes.hash(probe.root), let leaf = Probes.hash(probe.leafHash),
                let hashes = Probes.hashes(probe.proof)
            {
                let proof = InclusionProof(index: probe.leafIdx, hashes: hashes)
                holds = (try? proof.verify(leaf: leaf, size: probe.treeSize, root: root)) != nil
            }
            #expect(holds != probe.wantErr, "\(probe.file)")
        }
        // One has two equal roots that are no hashes, for a library that compares bytes of any length.
        let inexpressible = "consistency/additional/sizes-are-equal-one-and-proof-is-empty"
        for probe in probes.consistency where probe.file != inexpressible {
            var holds = false
            if let first = Probes.hash(probe.root1), let second = Probes.hash(probe.root2),
                let hashes = Probes.hashes(probe.proof)
            {
                let proof = ConsistencyProof(hashes: hashes)
                holds = (try? proof.verify(from: probe.size1, first, to: probe.size2, second)) != nil
            }
            #expect(holds != probe.wantErr, "\(probe.file)")
        }
    }

    @Test func `sizes near the limit neither trap nor run for ever`() {
        for size: UInt64 in [UInt64.max, 1 << 63, (1 << 63) - 1] {
            let hashes = [MerkleHash](repeating: .emptyTree, count: 64)
            #expect(throws: TransparencyLogError.self) {
                try InclusionProof(index: size - 1, hashes: hashes).verify(
                    leaf: .emptyTree, size: size, root: .emptyTree)
            }
            #expect(throws: TransparencyLogError.self) {
                try ConsistencyProof(hashes: hashes).verify(from: size - 1, .emptyTree, to: size, .emptyTree)
            }
        }
    }
}
