// Key-encryption keys in clouds.

import PosternConfiguration
import Testing

@Suite struct `Keys in clouds` {
    @Test(arguments: [
        (KeyOrigin.awsKMS, "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        (.awsKMS, "arn:aws-us-gov:kms:us-gov-west-1:111122223333:alias/postern"), (.awsKMS, "alias/team/postern"),
        (.gcpKMS, "projects/p/locations/europe-west3/keyRings/r/cryptoKeys/k"),
    ])
    func `a key is named as its cloud names it, in the file and in the environment`(
        origin: KeyOrigin, value: String
    ) throws {
        let file = try load(yaml: "envelope:\n  keys:\n    - \(origin.rawValue): \"\(value)\"\n")
        let environment = try load(environment: ["POSTERN_ENVELOPE_KEYS": "\(origin.rawValue)=\(value)"])
        for loaded in [file, environment] {
            #expect(loaded.envelope.keys.map(\.origin) == [origin])
            #expect(loaded.envelope.keys.map(\.value) == [value])
            #expect(!loaded.usesVault)
        }
    }

    @Test func `keys of two kinds stand side by side`() throws {
        let loaded = try load(
            yaml: """
                envelope:
                  keys:
                    - aws_kms: alias/postern
                    - gcp_kms: projects/p/locations/global/keyRings/r/cryptoKeys/k
                    - file: kek

                """)
        #expect(loaded.envelope.keys.map(\.origin) == [.awsKMS, .gcpKMS, .file])
    }
}
