package dev.ebb.gateway;

import dev.ebb.gateway.limit.LimitRates;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * Who may come to a gateway, by what name and how often.
 *
 * @param domain where a TLS client calls the gateway {@code branch--database.DOMAIN}, that is the
 *     branch that it wants unless it names another; null: its name means nothing
 * @param clientCaFile certificates (PEM) that sign those of clients; null: clients show none. Who
 *     shows one must be the role that it is made out to
 * @param requireClientCertificate whether clients without one are refused
 * @param computeCaFile certificates (PEM) that sign those of computes, which are then connected to
 *     over TLS only; null: plain connections
 * @param limits what one address and one database get
 */
public record GatewayAccess(
    @Nullable String domain,
    @Nullable Path clientCaFile,
    boolean requireClientCertificate,
    @Nullable Path computeCaFile,
    LimitRates limits) {
  /** What holds where nothing is configured. */
  public static final GatewayAccess DEFAULTS =
      new GatewayAccess(null, null, false, null, LimitRates.DEFAULTS);

  public GatewayAccess {
    if (requireClientCertificate && clientCaFile == null) {
      throw new IllegalArgumentException(
          "certificates of clients are required, but none is said to sign them");
    }
  }

  /** The same with TLS to computes. */
  public GatewayAccess withComputeCa(Path file) {
    return new GatewayAccess(domain, clientCaFile, requireClientCertificate, file, limits);
  }

  /** The same with other limits. */
  public GatewayAccess with(LimitRates other) {
    return new GatewayAccess(domain, clientCaFile, requireClientCertificate, computeCaFile, other);
  }
}
