// swift-tools-version: 6.2

// The architecture, as the compiler enforces it: a target can import only what it lists here.
// Front ends, policy and audit list no backend; only the `postern` executable composes them.

import PackageDescription

let package = Package(
    name: "postern",
    products: [
        .executable(name: "postern", targets: ["postern"]),
        // Loaded by tests: a PKCS#11 module that misbehaves as told.
        .library(name: "FaultyPKCS11", type: .dynamic, targets: ["FaultyPKCS11"]),
    ],
    dependencies: [
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(
            url: "https://github.com/apple/swift-configuration", from: "1.4.0",
            traits: [.defaults, "YAML", "CommandLineArguments"]),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.34.1"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // The vocabulary: what every other layer speaks. Imports nothing but the standard library.
        .target(name: "PosternProtocol", path: "Sources/Protocol", swiftSettings: [.strictMemorySafety()]),
        .testTarget(name: "ProtocolTests", dependencies: ["PosternProtocol"]),

        // C libraries of the system.
        .systemLibrary(
            name: "CNGHTTP2", path: "Sources/System/CNGHTTP2", pkgConfig: "libnghttp2",
            providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(
            name: "CLibCrypto", path: "Sources/System/CLibCrypto", pkgConfig: "libcrypto",
            providers: [.apt(["libssl-dev"])]),
        .systemLibrary(
            name: "CP11Kit", path: "Sources/System/CP11Kit", pkgConfig: "p11-kit-1",
            providers: [.apt(["libp11-kit-dev"])]),
        .target(name: "CProcess", path: "Sources/System/CProcess"),

        // What the layers share about waiting.
        .target(name: "PosternConcurrency", dependencies: ["PosternProtocol"], path: "Sources/Concurrency"),

        // What is wrong with a connection, in words.
        .target(
            name: "PosternConnections",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Connections"),
        // JSON and base64 between text and secret bytes, for whoever speaks HTTP.
        .target(
            name: "PosternCoding",
            dependencies: ["PosternProtocol", .product(name: "NIOCore", package: "swift-nio")],
            path: "Sources/Coding"),

        // The contract of backends as a suite that every one of them runs, with a model and fault injection.
        .target(name: "BackendConformance", dependencies: ["PosternProtocol"], path: "Tests/BackendConformance"),

        // The same for key wrappers.
        .target(name: "KeyWrapperConformance", dependencies: ["PosternProtocol"], path: "Tests/KeyWrapperConformance"),

        // Backends: each knows the vocabulary and its own store, and nothing of the others.
        .target(
            name: "Envelope",
            dependencies: [
                "PosternCoding", "PosternConcurrency", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Sources/Backends/Envelope"),
        .target(
            name: "LocalKey",
            dependencies: ["PosternProtocol", .product(name: "Crypto", package: "swift-crypto")],
            path: "Sources/Backends/LocalKey"),
        .target(
            name: "CloudKMS",
            dependencies: [
                "PosternCoding", "PosternConcurrency", "PosternConnections", "PosternProtocol",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "JWTKit", package: "jwt-kit"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Backends/CloudKMS"),
        .target(
            name: "Vault",
            dependencies: [
                "PosternCoding", "PosternConcurrency", "PosternProtocol",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Sources/Backends/Vault"),
        .target(
            name: "PosternPKCS11",
            dependencies: [
                "CP11Kit", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            path: "Sources/Backends/PKCS11", swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "SQLiteDev",
            dependencies: [
                "PosternProtocol",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            path: "Sources/Backends/SQLiteDev"),

        // The formats of C2SP transparency logs: trees, tiles, notes, proofs. Pure; knows nothing of Postern.
        .target(
            name: "TransparencyLog",
            dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            path: "Sources/TransparencyLog", swiftSettings: [.strictMemorySafety()]),

        .target(
            name: "Migration",
            dependencies: [
                "PosternCoding", "PosternConcurrency", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Sources/Backends/Migration"),

        // The gateway's layers, from the bottom up. None of them lists a backend.
        .target(
            name: "PosternPolicy",
            dependencies: ["PosternProtocol", .product(name: "Yams", package: "Yams")],
            path: "Sources/Gateway/Policy", swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "PosternAudit",
            dependencies: [
                "CProcess", "PosternCoding", "PosternProtocol", "TransparencyLog",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Sources/Gateway/Audit", swiftSettings: [.strictMemorySafety()]),
        // Finds records of the audit log; derived from it, never the truth.
        .target(
            name: "PosternAuditIndex",
            dependencies: [
                "PosternAudit", "PosternProtocol", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            path: "Sources/Gateway/AuditIndex"),
        .target(
            name: "PosternCore",
            dependencies: [
                "PosternAudit", "PosternConcurrency", "PosternPolicy", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Gateway/Core"),
        .target(
            name: "PosternDelivery",
            dependencies: [
                "PosternAudit", "PosternCoding", "PosternConcurrency", "PosternConnections", "PosternProtocol",
                "TransparencyLog",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            path: "Sources/Gateway/Delivery"),
        .target(
            name: "PosternIdentity",
            dependencies: [
                "CLibCrypto", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ],
            path: "Sources/Gateway/Identity", swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "PosternPKI",
            dependencies: [
                "PosternIdentity", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ],
            path: "Sources/Gateway/PKI", swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "PosternGRPCTransport",
            dependencies: [
                "CNGHTTP2", "PosternProtocol",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
            ],
            path: "Sources/Gateway/GRPCTransport", swiftSettings: [.strictMemorySafety()]),
        .target(
            name: "PosternGRPC",
            dependencies: [
                "PosternCore", "PosternGRPCTransport", "PosternIdentity", "PosternPolicy", "PosternProtocol",
                "PosternWire",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Sources/Gateway/GRPC"),

        // The gRPC messages, generated from proto/, and a client.
        .target(
            name: "PosternWire",
            dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            path: "Sources/Wire"),
        .target(
            name: "PosternClient",
            dependencies: [
                "PosternProtocol", "PosternWire",
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
                .product(name: "GRPCProtobuf", package: "grpc-swift-protobuf"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            path: "Sources/Client"),
        .target(
            name: "PosternHTTP",
            dependencies: [
                "PosternAudit", "PosternCoding", "PosternCore", "PosternPolicy", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ],
            path: "Sources/Gateway/HTTP", resources: [.embedInCode("openapi.yaml")]),
        .target(
            name: "PosternConfiguration",
            dependencies: [
                "PosternProtocol",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Yams", package: "Yams"),
            ],
            path: "Sources/Gateway/Configuration", swiftSettings: [.strictMemorySafety()]),

        // The command, and the one place where backends are named.
        .executableTarget(
            name: "postern",
            dependencies: [
                "CloudKMS", "CProcess", "Envelope", "LocalKey", "Migration", "PosternAudit", "PosternAuditIndex",
                "PosternClient", "PosternCoding", "PosternConfiguration", "PosternCore", "PosternDelivery",
                "PosternGRPC",
                "PosternGRPCTransport", "PosternHTTP", "PosternIdentity", "PosternPKCS11", "PosternPKI",
                "PosternPolicy", "PosternProtocol", "PosternWire", "SQLiteDev", "TransparencyLog", "Vault",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            path: "Sources/Gateway/Command"),

        // What tests need of other programs.
        .target(name: "CSpawn", path: "Tests/Support/CSpawn"),
        .target(name: "TestPrograms", dependencies: ["CSpawn"], path: "Tests/Support/TestPrograms"),
        .target(
            name: "VaultServers",
            dependencies: [
                "PosternPKI", "TestPrograms",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/Support/VaultServers"),

        .target(
            name: "CloudServers",
            dependencies: [
                "TestPrograms",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOFoundationCompat", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/Support/CloudServers"),

        .target(
            name: "SyslogServers", dependencies: ["PosternPKI", "TestPrograms"], path: "Tests/Support/SyslogServers"),

        // Tests, one target beside each.
        .testTarget(name: "BackendConformanceTests", dependencies: ["BackendConformance", "PosternProtocol"]),
        .testTarget(
            name: "EnvelopeTests",
            dependencies: [
                "BackendConformance", "Envelope", "LocalKey", "PosternProtocol", "SQLiteDev",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .executableTarget(
            name: "envelope-bench", dependencies: ["BackendConformance", "Envelope", "LocalKey", "PosternProtocol"],
            path: "Tests/Helpers/EnvelopeBench"),
        .testTarget(
            name: "LocalKeyTests",
            dependencies: [
                "KeyWrapperConformance", "LocalKey", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .testTarget(
            name: "MigrationTests",
            dependencies: [
                "BackendConformance", "Envelope", "LocalKey", "Migration", "PosternProtocol", "SQLiteDev",
                "TestPrograms",
            ]),
        .target(name: "CFaultControl", path: "Tests/Helpers/CFaultControl"),
        .target(
            name: "FaultyPKCS11", dependencies: ["CFaultControl", "CP11Kit"], path: "Tests/Helpers/FaultyPKCS11"),
        .target(name: "SoftTokens", dependencies: ["CFaultControl"], path: "Tests/Support/SoftTokens"),
        .executableTarget(
            name: "pkcs11-bench", dependencies: ["CP11Kit", "PosternPKCS11", "PosternProtocol"],
            path: "Tests/Helpers/PKCS11Bench"),
        .testTarget(
            name: "PKCS11Tests",
            dependencies: [
                "BackendConformance", "CFaultControl", "CP11Kit", "Envelope", "KeyWrapperConformance", "PosternPKCS11",
                "PosternProtocol", "SQLiteDev", "SoftTokens",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ]),
        .executableTarget(
            name: "SQLiteStorm", dependencies: ["PosternProtocol", "SQLiteDev"], path: "Tests/Helpers/SQLiteStorm"),
        .testTarget(
            name: "SQLiteDevTests",
            dependencies: [
                "BackendConformance", "PosternProtocol", "SQLiteDev", "SQLiteStorm",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .testTarget(
            name: "TransparencyLogTests",
            dependencies: ["TransparencyLog", .product(name: "Crypto", package: "swift-crypto")],
            resources: [.embedInCode("Vectors/merkle-probes.json")]),
        .executableTarget(
            name: "audit-storm", dependencies: ["PosternAudit", "PosternProtocol", "TransparencyLog"],
            path: "Tests/Helpers/AuditStorm"),
        .testTarget(
            name: "AuditTests",
            dependencies: [
                "PosternAudit", "PosternProtocol", "TestPrograms", "TransparencyLog", "audit-storm",
                .product(name: "Crypto", package: "swift-crypto"),
            ]),
        .executableTarget(
            name: "audit-index-bench", dependencies: ["PosternAudit", "PosternAuditIndex", "PosternProtocol"],
            path: "Tests/Helpers/AuditIndexBench"),
        .testTarget(
            name: "AuditIndexTests",
            dependencies: [
                "PosternAudit", "PosternAuditIndex", "PosternProtocol", "TestPrograms",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .testTarget(
            name: "DeliveryTests",
            dependencies: [
                "CloudServers", "PosternAudit", "PosternCore", "PosternDelivery", "PosternProtocol", "SyslogServers",
                "TestPrograms", "TransparencyLog",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .testTarget(name: "PolicyTests", dependencies: ["PosternPolicy", "PosternProtocol"]),
        .testTarget(name: "ConfigurationTests", dependencies: ["PosternConfiguration", "PosternProtocol"]),
        .testTarget(
            name: "PKITests",
            dependencies: [
                "PosternPKI", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ]),
        .testTarget(
            name: "IdentityTests",
            dependencies: [
                "PosternIdentity", "PosternPKI", "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "NIOTLS", package: "swift-nio"),
                .product(name: "SwiftASN1", package: "swift-asn1"),
                .product(name: "X509", package: "swift-certificates"),
            ]),
        .testTarget(
            name: "StackTests",
            dependencies: [
                "BackendConformance", "Envelope", "LocalKey", "PosternCore", "PosternProtocol", "SQLiteDev",
            ]),
        .testTarget(
            name: "CloudKMSTests",
            dependencies: [
                "BackendConformance", "CloudKMS", "CloudServers", "Envelope", "KeyWrapperConformance", "PosternCoding",
                "PosternPKI", "PosternProtocol", "SQLiteDev", "TestPrograms",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        .testTarget(
            name: "VaultTests",
            dependencies: [
                "BackendConformance", "Envelope", "KeyWrapperConformance", "LocalKey", "PosternCoding", "PosternPKCS11",
                "PosternPKI", "PosternProtocol", "SoftTokens", "TestPrograms", "Vault", "VaultServers",
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        // Keys in each of their homes, in front of each store that is real.
        .testTarget(
            name: "KeyStackTests",
            dependencies: [
                "BackendConformance", "CloudKMS", "CloudServers", "Envelope", "PosternPKCS11", "PosternProtocol",
                "SoftTokens", "SQLiteDev",
                "TestPrograms", "Vault", "VaultServers", .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]),
        .testTarget(
            name: "HTTPTests",
            dependencies: [
                "BackendConformance", "Envelope", "LocalKey", "PosternAudit", "PosternCoding", "PosternCore",
                "PosternHTTP", "PosternPolicy",
                "PosternProtocol",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HummingbirdTesting", package: "hummingbird"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTPTypes", package: "swift-nio-extras"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ]),
        .executableTarget(
            name: "RPCEcho",
            dependencies: [
                "PosternGRPCTransport", "PosternProtocol",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ],
            path: "Tests/Helpers/RPCEcho"),
        .testTarget(
            name: "GRPCTransportTests",
            dependencies: [
                "CNGHTTP2", "PosternGRPCTransport", "RPCEcho",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            exclude: ["python"]),
        .testTarget(
            name: "GRPCTests",
            dependencies: [
                "PosternCore", "PosternGRPC", "PosternGRPCTransport", "PosternProtocol", "PosternWire",
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "CoreTests",
            dependencies: [
                "BackendConformance", "PosternAudit", "PosternCore", "PosternPolicy", "PosternProtocol",
                .product(name: "Logging", package: "swift-log"),
            ]),

        // What people deploy: the script that prepares Vault, the images, the compose file.
        .testTarget(
            name: "DeploymentTests",
            dependencies: [
                "postern", "PosternPKI", "TestPrograms", "VaultServers", .product(name: "Yams", package: "Yams"),
            ],
            exclude: ["python"]),

        // The real binary, driven as users, operators and attackers do.
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "CFaultControl", "CloudServers", "postern", "PosternAudit", "PosternClient", "PosternPKI",
                "PosternProtocol", "PosternWire", "SoftTokens", "SyslogServers", "TestPrograms", "VaultServers",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ],
            exclude: ["python"]),
    ]
)

// The fuzz targets have libFuzzer's main, so they link only where `scripts/fuzz.sh` builds them.
if Context.environment["POSTERN_FUZZ"] != nil {
    let fuzzed: [String: [Target.Dependency]] = [
        "FuzzPath": ["PosternProtocol"],
        "FuzzPolicy": ["PosternPolicy", "PosternProtocol"],
        "FuzzRecord": ["PosternAudit", "PosternProtocol"],
        "FuzzFrames": ["PosternGRPCTransport"],
        "FuzzNote": ["TransparencyLog"],
    ]
    for (name, dependencies) in fuzzed {
        package.targets.append(
            .executableTarget(
                name: name, dependencies: dependencies, path: "Tests/Fuzz/\(name)",
                swiftSettings: [.unsafeFlags(["-parse-as-library"])]))
        package.products.append(.executable(name: name, targets: [name]))
    }
}

for target in package.targets where target.type != .system && target.type != .plugin {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            .enableUpcomingFeature("ExistentialAny"),
            .enableUpcomingFeature("InternalImportsByDefault"),
            .enableUpcomingFeature("MemberImportVisibility"),
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
            .enableUpcomingFeature("InferIsolatedConformances"),
            .treatAllWarnings(as: .error),
        ]
}
