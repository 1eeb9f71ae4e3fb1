package dev.ebb.gateway.tls;

import dev.ebb.shared.scram.EndPointBinding;
import java.security.cert.X509Certificate;
import org.jspecify.annotations.Nullable;

/**
 * What a client and the gateway agreed on when they shook hands.
 *
 * @param applicationProtocol null where the client named none that is spoken here
 * @param binding to the certificate that was shown; null where it can have none
 * @param serverName how the client calls the server (SNI), in lower case; null where it does not
 * @param client the certificate that the client showed, verified; null where it showed none
 */
public record TlsSession(
    @Nullable String applicationProtocol,
    @Nullable EndPointBinding binding,
    @Nullable String serverName,
    @Nullable X509Certificate client) {}
