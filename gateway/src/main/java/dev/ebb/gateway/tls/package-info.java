/** The certificate that the gateway shows, and the upgrade of a connection to TLS. */
@NullMarked
package dev.ebb.gateway.tls;

import org.jspecify.annotations.NullMarked;
