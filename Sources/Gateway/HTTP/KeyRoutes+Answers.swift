// Keys and jobs as JSON. Dates that are not there are null, so that a reader sees every member there is.

import PosternProtocol

extension KeyRoutes {
    static func write(_ json: inout AnswerJSON, _ domain: KeyRegister.Domain) {
        json.object { json in
            json.member("name", domain.name)
            json.member("current", domain.current)
            json.name("keys")
            json.array(domain.keys) { json, key in
                json.object { json in
                    json.member("version", key.version)
                    json.member("id", key.id)
                    json.member("state", key.state.rawValue)
                    json.member("created_at", key.createdAt?.description)
                    json.member("superseded_at", key.supersededAt?.description)
                    json.member("retired_at", key.retiredAt?.description)
                    json.member("destroyed_at", key.destroyedAt?.description)
                    json.name("wraps")
                    json.array(key.wraps) { json, wrap in
                        json.object { json in
                            json.member("kek", wrap.kek)
                            json.member("algorithm", wrap.algorithm)
                            json.member("origin", wrap.origin)
                            json.member("wrapped_at", wrap.wrappedAt?.description)
                        }
                    }
                }
            }
            json.member("next_rotation", domain.nextRotation?.description)
            json.name("destruction")
            if let destruction = domain.destruction { write(&json, destruction) } else { json.null() }
        }
    }

    private static func write(_ json: inout AnswerJSON, _ destruction: KeyRegister.Destruction) {
        json.object { json in
            json.member("requested_at", destruction.requestedAt.description)
            json.member("requested_by", destruction.requestedBy)
            json.member("expires_at", destruction.expiresAt.description)
            json.member("approved_at", destruction.approvedAt?.description)
            json.member("approved_by", destruction.approvedBy)
        }
    }

    static func write(_ json: inout AnswerJSON, _ kek: KeyRegister.KeyEncryptionKey) {
        json.object { json in
            json.member("id", kek.id)
            json.member("algorithm", kek.algorithm)
            json.member("origin", kek.origin)
            json.member("configured", kek.configured)
            json.member("wraps", kek.wraps)
            json.member("first_seen", kek.firstSeen?.description)
            json.member("rotated_at", kek.rotatedAt?.description)
            json.member("retired_at", kek.retiredAt?.description)
            json.name("verified")
            if let verified = kek.verified { json.value(verified) } else { json.null() }
            json.member("verified_at", kek.verifiedAt?.description)
        }
    }

    static func write(_ json: inout AnswerJSON, _ job: KeyJob) {
        json.object { json in
            json.member("id", job.id)
            json.name("order")
            json.object { json in
                json.member("kind", job.order.kind.rawValue)
                json.member("scope", job.order.scope)
                json.member("dry_run", job.order.dryRun)
                json.member("destroy_old", job.order.destroyOld)
                json.member("drop_unconfigured", job.order.dropUnconfigured)
                json.name("rate")
                if let rate = job.order.rate { json.value(rate) } else { json.null() }
            }
            json.member("state", job.state.rawValue)
            json.member("created_by", job.createdBy)
            json.member("created_at", job.createdAt.description)
            json.member("updated_at", job.updatedAt.description)
            json.member("finished_at", job.finishedAt?.description)
            json.name("total")
            if let total = job.total { json.value(total) } else { json.null() }
            json.member("seen", job.seen)
            json.member("changed", job.changed)
            json.member("up_to_date", job.upToDate)
            json.member("skipped", job.skipped)
            json.member("failed", job.failed)
            json.member("destroyed_versions", job.destroyedVersions)
            json.name("problems")
            json.array(job.problems) { $0.value($1) }
            json.member("waiting_for", job.waitingFor)
            json.name("references")
            json.array(job.references) { json, reference in
                json.object { json in
                    json.member("domain", reference.domain)
                    json.member("version", reference.version)
                    json.member("count", reference.count)
                    json.member("possible", reference.possible)
                }
            }
        }
    }
}
