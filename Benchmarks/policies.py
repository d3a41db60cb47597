"""The policies that the gateway is measured with: one of a single rule, and one as large as a big company's."""

CLIENT = "spiffe://bench.test/client"


def small() -> str:
    """One service that may read."""
    return _policy([CLIENT], ['{ id: services-read, allow: [read], to: ["@services"], on: ["llm/**"] }'])


def large() -> str:
    """1,000 rules that each hold for 100 principals; the one that decides comes last."""
    principals = [f"spiffe://bench.test/service-{n}" for n in range(99)] + [CLIENT]
    shapes = ("team-{n}/**", "team-{n}/*/key", "shared/region-{n}/db/password", "**/legacy-{n}/*", "llm/*/key-{n}")
    rules = [
        f'{{ id: rule-{n}, {"deny" if n % 10 == 0 else "allow"}: [read, list], to: ["@services"], '
        f'on: ["{shapes[n % len(shapes)].format(n=n)}"] }}'
        for n in range(999)
    ]
    return _policy(principals, rules + ['{ id: services-read, allow: [read], to: ["@services"], on: ["llm/**"] }'])


def _policy(principals: list[str], rules: list[str]) -> str:
    names = [f"service-{n}" for n in range(len(principals))]
    lines = ["version: 1", "principals:", "  admin: { admin_key: admin }"]
    lines += [f'  {name}: {{ spiffe: "{spiffe}" }}' for name, spiffe in zip(names, principals)]
    lines += ["groups:", f"  services: [{', '.join(names)}]", "rules:"]
    lines += ["  - { id: admin-writes, allow: [all], to: [admin], on: [\"**\"] }"]
    return "\n".join(lines + [f"  - {rule}" for rule in rules]) + "\n"
