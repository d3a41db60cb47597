// Whether a text is an IP address.

import Glibc

extension String {
    /// Whether it is an IPv4 or IPv6 address as text, without a zone.
    var isIPAddress: Bool {
        var four = in_addr()
        var six = in6_addr()
        return inet_pton(AF_INET, self, &four) == 1 || inet_pton(AF_INET6, self, &six) == 1
    }
}
