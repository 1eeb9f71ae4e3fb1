package dev.ebb.gateway.session;

import dev.ebb.gateway.tls.TlsSession;
import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/**
 * Where a client comes from.
 *
 * @param tls null where the connection is not encrypted
 */
record Origin(InetAddress address, @Nullable TlsSession tls) {}
