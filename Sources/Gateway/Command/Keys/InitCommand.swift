// `postern keys init`: makes what a configured key needs before the gateway can use it, or says how to.

import ArgumentParser
import Foundation
import Logging
import PosternConfiguration
import PosternProtocol

extension KeysCommand {
    /// `postern keys init`.
    struct Init: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make the configured keys that can be made here, and say how to make the others.",
            discussion: """
                Works on this machine, from the configuration, without a gateway. A key that is there is left alone. In \
                an HSM it makes key-encryption keys and the private keys of the listeners, which never leave it. After \
                adding a key to a store in use, run `postern keys rewrap`.
                """)

        @OptionGroup var options: ConfigurationOptions
        @OptionGroup var output: OutputOptions

        @Flag(name: .long, help: "Make key-encryption keys in HSMs as RSA with 3072 bits instead of AES with 256.")
        var rsa = false

        @Flag(name: .long, help: "Only say what would be made.")
        var dryRun = false

        func run() async throws {
            let reports = try await reporting {
                let preparation = KeyPreparation(try options.load(), rsa: rsa, isDryRun: dryRun)
                let reports: Result<[KeyPreparation.Report], any Error>
                do {
                    reports = .success(try await preparation.prepareAll())
                } catch {
                    reports = .failure(error)
                }
                await preparation.close()
                return try reports.get()
            }
            try output.print(reports) { reports in
                reports.map { "\($0.origin)=\($0.key): \($0.detail)" }.joined(separator: "\n")
            }
        }
    }
}
