// The list of sinks in the configuration.

import PosternConfiguration
import Testing

@Suite struct SinkSettingsTests {
    @Test func `sinks of each kind are read, and their paths start from the configuration's folder`() throws {
        let yaml = """
            audit:
              sinks:
                - name: central
                  kind: syslog
                  address: siem.example.com:6514
                  ca: ca.pem
                  certificate: client.pem
                  key: /keys/client.key
                  format: cef
                  from: now
                - {name: lab, kind: syslog, address: "127.0.0.1:514", transport: tcp, sd_id: x@1, hostname: gw}
                - {name: splunk, kind: webhook, url: "https://splunk.example.com:8088/services/collector/event",
                   body: splunk, authorization_file: token, hmac_key_file: key, format: ocsf}
                - {name: agent, kind: file, path: audit.jsonl}

            """
        let sinks = try load(yaml: yaml).audit.sinks
        try #require(sinks.count == 4)
        #expect(sinks.map(\.name) == ["central", "lab", "splunk", "agent"])
        #expect(sinks.map(\.kind) == [.syslog, .syslog, .webhook, .file])
        #expect(sinks.map(\.format) == ["cef", "json", "ocsf", "json"])
        #expect(sinks.map(\.startsAtEnd) == [true, false, false, false])
        #expect(sinks[0].address == ListenAddress(host: "siem.example.com", port: 6514))
        #expect(sinks[0].isTLS && !sinks[1].isTLS)
        #expect(sinks[0].authorities?.hasSuffix("/ca.pem") == true && sinks[0].authorities != "ca.pem")
        #expect(sinks[0].key == "/keys/client.key")
        #expect(sinks[1].structuredDataID == "x@1" && sinks[1].hostname == "gw")
        #expect(sinks[2].body == "splunk" && sinks[2].authorizationFile?.hasSuffix("/token") == true)
        #expect(sinks[3].path?.hasSuffix("/audit.jsonl") == true)
        #expect(try load().audit.sinks.isEmpty)
    }

    @Test func `the environment has sinks as name=value pairs`() throws {
        let text = "name=a;kind=file;path=/x,name=b;kind=webhook;url=https://h/p?q=1"
        let sinks = try load(environment: ["POSTERN_AUDIT_SINKS": text]).audit.sinks
        #expect(sinks.map(\.name) == ["a", "b"])
        #expect(sinks.last?.url == "https://h/p?q=1")
    }

    @Test(arguments: [
        "{name: a}", "{kind: file}", "{name: a, kind: kafka}", "{name: a, kind: file, path: \"x;y\"}",
        "{name: \"../a\", kind: file, path: x}", "{name: a, kind: file, path: x, colour: red}",
        "{name: a, kind: syslog, address: nowhere}", "{name: a, kind: webhook, url: \"ftp://h\"}", "x",
        "{name: a, kind: file, path: [x]}", "{name: a, kind: syslog, address: \"h:1\", sd_id: \"a]b\"}",
    ])
    func `a sink of the wrong form is refused with its line`(item: String) throws {
        let found = try problems(yaml: "audit:\n  sinks: [\(item)]\n")
        #expect(found.first?.hasPrefix("postern.yaml:2: audit.sinks: item 1 is not allowed") == true, "\(found)")
    }

    @Test(arguments: [
        ("{name: a, kind: file}", "needs a member path"), ("{name: a, kind: syslog}", "needs a member address"),
        ("{name: a, kind: webhook, path: x}", "has a member path, which is not for kind webhook"),
        ("{name: a, kind: webhook, url: \"https://h\", key: x}", "needs both certificate and key"),
        (
            "{name: a, kind: syslog, address: \"h:1\", transport: tcp, ca: x}",
            "has certificates, which transport tcp does not use"
        ),
    ])
    func `what does not go together in a sink is told with its name`(item: String, problem: String) throws {
        let found = try problems(yaml: "audit:\n  sinks: [\(item)]\n")
        #expect(found.contains { $0.contains("audit.sinks: the sink \"a\" \(problem)") }, "\(found)")
    }

    @Test func `two sinks of one name are refused`() throws {
        let item = "{name: a, kind: file, path: x}"
        #expect(try problems(yaml: "audit:\n  sinks: [\(item), \(item)]\n").first?.contains("each name once") == true)
    }
}
