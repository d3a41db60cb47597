import Foundation
import TestPrograms
import Testing

/// What docker-compose.yml and the Dockerfile promise, as far as they say it themselves.
struct ComposeFileTests {
    private let compose: ComposeFile
    private let dockerfile: Dockerfile

    init() throws {
        compose = try ComposeFile(variables: ["ADMIN_KEY": "x"])
        dockerfile = try Dockerfile()
    }

    @Test func `no service has more rights than it needs`() {
        for service in compose.services.values {
            let all = service.all
            #expect(all["cap_drop"] as? [String] == ["ALL"], "\(service.name)")
            #expect(all["security_opt"] as? [String] == ["no-new-privileges:true"], "\(service.name)")
            #expect(all["read_only"] as? Bool == true, "\(service.name)")
            #expect((all["ulimits"] as? [String: Int])?["core"] == 0, "\(service.name)")
            #expect(all["privileged"] == nil && all["network_mode"] as? String != "host", "\(service.name)")
            #expect(all["cap_add"] as? [String] == (service.name == "certificates" ? ["CHOWN"] : nil))
            #expect((all["user"] as? String == "0:0") == (service.name == "certificates"))
        }
    }

    @Test func `each volume is written by those who must, and seen by nobody who need not`() {
        var writers: [String: Set<String>] = [:]
        var readers: [String: Set<String>] = [:]
        for service in compose.services.values {
            for mount in service.mounts where !mount.source.hasPrefix("./") {
                if mount.isReadOnly {
                    readers[mount.source, default: []].insert(service.name)
                } else {
                    writers[mount.source, default: []].insert(service.name)
                }
            }
        }
        let issuer: Set = ["certificates"]
        #expect(
            writers == [
                "authority": issuer, "trust": issuer, "vault-tls": issuer, "postern-tls": issuer, "clients": issuer,
                "vault-data": ["certificates", "vault"], "unseal-keys": ["init"], "credentials": ["init"],
                "audit": ["postern"],
            ])
        #expect(
            readers == [
                "trust": ["vault", "init", "postern", "client"], "vault-tls": ["vault"], "postern-tls": ["postern"],
                "clients": ["client"], "credentials": ["postern"],
            ])
        #expect(Set(writers.keys) == compose.volumes)
    }

    @Test func `every file that is mounted is there, and only read`() {
        for service in compose.services.values {
            for mount in service.mounts where mount.source.hasPrefix("./") {
                #expect(mount.isReadOnly)
                let path = Places.package.appending(path: String(mount.source.dropFirst(2))).path
                #expect(FileManager.default.fileExists(atPath: path), "\(mount.source)")
            }
        }
    }

    @Test func `services start in an order in which they can`() throws {
        let waits = compose.services.mapValues(\.dependencies)
        let (done, started, healthy) = ("service_completed_successfully", "service_started", "service_healthy")
        #expect(waits["certificates"] == [:])
        #expect(waits["vault"] == ["certificates": done])
        // Not healthy: it is this service that unseals the server.
        #expect(waits["init"] == ["certificates": done, "vault": started])
        #expect(waits["postern"] == ["certificates": done, "init": done, "vault": healthy])
    }

    @Test func `without an admin key nothing starts, and why is said`() throws {
        let refusal = #expect(throws: HarnessError.self) { try ComposeFile(variables: ["ADMIN_KEY": ""]) }
        #expect(refusal?.description.contains("ADMIN_KEY") == true)
    }

    @Test func `no secret is in the file, and no image is whatever is newest`() throws {
        for service in compose.services.values {
            for (name, value) in service.environment where name.hasSuffix("_KEY") || name.contains("TOKEN") {
                #expect(value.hasPrefix("/") || name == "ADMIN_KEY", "\(service.name): \(name)")
            }
            guard service.target == nil else { continue }
            let tag = service.image.split(separator: ":").last
            #expect(service.image.contains(":") && tag != "latest", "\(service.image)")
        }
        let other = try ComposeFile(variables: ["ADMIN_KEY": "x", "VAULT_IMAGE": "hashicorp/vault:1.21"])
        #expect(try other.service("vault").image == "hashicorp/vault:1.21")
    }

    @Test func `the image has every library that the command is linked against`() async throws {
        let installed = dockerfile.packages("postern")
        // What Debian's smallest image has, because dpkg and apt need it.
        let always: Set = ["libc6", "libgcc-s1"]
        let linked = try await mustRun("ldd", [try Places.postern()]).text.split(separator: "\n").compactMap { line in
            line.firstMatch(of: /=> (\/\S+)/).map { String($0.1) }
        }
        #expect(linked.count > 5)
        var needed: Set<String> = []
        for library in linked {
            let real = try await mustRun("readlink", ["--canonicalize", library]).text
                .trimmingCharacters(in: .newlines)
            let owner = try await run("dpkg", ["--search", real])
            // Swift's own libraries come with the toolchain, and are linked into the release.
            if owner.code == 0 { needed.insert(String(owner.text.prefix { $0 != ":" })) }
        }
        #expect(needed.count > 3)
        #expect(needed.subtracting(always).subtracting(installed) == [], "install these in the Dockerfile")
    }

    @Test func `volumes with secrets start as their owner's alone`() {
        for (folder, stage) in [
            ("/var/log/postern/audit", "postern"), ("/etc/postern/credentials", "postern"),
            ("/etc/postern/credentials", "init"), ("/var/lib/init-vault", "init"),
        ] {
            #expect(dockerfile.mode(of: folder, in: stage) == 0o700, "\(folder) in \(stage)")
        }
    }

    @Test func `the images run without root, and expose what compose publishes`() throws {
        for stage in ["postern", "init"] { #expect(dockerfile.stage(stage).contains("USER 10001:10001")) }
        let last = try String(contentsOf: Places.package.appending(path: "Dockerfile"), encoding: .utf8)
            .split(separator: "\n").last { $0.hasPrefix("FROM ") }
        #expect(last?.hasSuffix(" AS postern") == true, "a build that names no stage makes the gateway")
        #expect(dockerfile.stage("postern").contains("EXPOSE 7443 8443"))
        let published = try #require(compose.service("postern").all["ports"] as? [String])
        #expect(published.allSatisfy { $0.hasPrefix("${BIND_ADDRESS:-127.0.0.1}:") })
        #expect(published.map { $0.split(separator: ":").last } == ["7443", "8443"])
    }
}
