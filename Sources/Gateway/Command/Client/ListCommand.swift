// `postern list`: lists names.

import ArgumentParser
import PosternClient
import PosternWire
import Synchronization

/// `postern list`.
struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the secrets that you may list.",
        discussion: "Prints one name a line; a folder's ends with a slash. --output json prints one array.")

    @Argument(help: "List below this path; everything if left out.")
    var prefix = ""

    @Flag(name: .shortAndLong, help: "List all secrets below, not only direct children.")
    var recursive = false

    @OptionGroup var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let collected = Mutex<[String]>([])
        let asJSON = output.output == .json
        try await connection.withClient { client in
            var request = Postern_V1_ListRequest()
            request.prefix = prefix
            request.recursive = recursive
            request.pageSize = 1_000
            request.purpose = connection.purpose
            try await client.list(request) { page in
                let keys = page.entries.map(\.key)
                if asJSON {
                    collected.withLock { $0 += keys }
                } else {
                    for key in keys { print(key) }
                }
            }
        }
        if asJSON { try output.print(collected.withLock { $0 }) { _ in "" } }
    }
}
