package dev.ebb.gateway;

import dev.ebb.gateway.pool.PoolConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import org.jspecify.annotations.Nullable;

/**
 * How the gateway listens.
 *
 * @param port 0 for any free one
 * @param tlsDirectory where the self-signed certificate is kept; made where it is missing
 * @param certificateFile a PEM certificate chain in its place, with {@code keyFile}, or null
 * @param keyFile the unencrypted PEM key of {@code certificateFile}, or null
 * @param requireTls whether clients without TLS are refused
 * @param loginTimeoutMs from connecting to being authenticated; PostgreSQL's authentication_timeout
 * @param wakeTimeoutMs from being authenticated to the first statement
 * @param maxUnauthenticated connections that may be logging in at a time
 * @param maxConnections connections in all
 * @param eventLoops how many of Vert.x's event loops take connections; 0 for one a core
 * @param access who may come, by what name and how often
 * @param poolPort where clients share connections to computes; 0 for any free one, -1 for none
 * @param operations how it is looked after
 */
public record GatewayConfig(
    String host,
    int port,
    Path tlsDirectory,
    @Nullable Path certificateFile,
    @Nullable Path keyFile,
    boolean requireTls,
    long loginTimeoutMs,
    long wakeTimeoutMs,
    int maxUnauthenticated,
    int maxConnections,
    int eventLoops,
    GatewayAccess access,
    int poolPort,
    PoolConfig pool,
    GatewayOperations operations) {

  /** Without a pool. */
  public GatewayConfig(
      String host,
      int port,
      Path tlsDirectory,
      @Nullable Path certificateFile,
      @Nullable Path keyFile,
      boolean requireTls,
      long loginTimeoutMs,
      long wakeTimeoutMs,
      int maxUnauthenticated,
      int maxConnections,
      int eventLoops,
      GatewayAccess access) {
    this(
        host,
        port,
        tlsDirectory,
        certificateFile,
        keyFile,
        requireTls,
        loginTimeoutMs,
        wakeTimeoutMs,
        maxUnauthenticated,
        maxConnections,
        eventLoops,
        access,
        -1,
        PoolConfig.DEFAULT,
        GatewayOperations.DEFAULTS);
  }

  public GatewayConfig {
    var wrong = new ArrayList<String>();
    if (host.isBlank()) {
      wrong.add("the gateway's host is empty");
    }
    if (port < 0 || port > 65535) {
      wrong.add("the gateway's port must be 0 to 65535, not " + port);
    }
    if ((certificateFile == null) != (keyFile == null)) {
      wrong.add("a TLS certificate and its key must be given together");
    }
    if (loginTimeoutMs < 1 || wakeTimeoutMs < 1) {
      wrong.add("the gateway's timeouts must be positive");
    }
    if (maxUnauthenticated < 1 || maxConnections < 1) {
      wrong.add("the gateway must allow at least one connection");
    }
    if (poolPort < -1 || poolPort > 65535) {
      wrong.add("the pool's port must be 0 to 65535, or -1 for none, not " + poolPort);
    }
    if (poolPort > 0 && poolPort == port) {
      wrong.add("the gateway's two ports must differ");
    }
    if (eventLoops < 0) {
      wrong.add("the number of event loops cannot be negative");
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
  }

  /** One that takes clients as {@link GatewayAccess#DEFAULTS} says. */
  public GatewayConfig(
      String host,
      int port,
      Path tlsDirectory,
      @Nullable Path certificateFile,
      @Nullable Path keyFile,
      boolean requireTls,
      long loginTimeoutMs,
      long wakeTimeoutMs,
      int maxUnauthenticated,
      int maxConnections,
      int eventLoops) {
    this(
        host,
        port,
        tlsDirectory,
        certificateFile,
        keyFile,
        requireTls,
        loginTimeoutMs,
        wakeTimeoutMs,
        maxUnauthenticated,
        maxConnections,
        eventLoops,
        GatewayAccess.DEFAULTS);
  }

  /** The defaults: loopback, a self-signed certificate, TLS offered but not required. */
  public static GatewayConfig of(int port, Path tlsDirectory) {
    return new GatewayConfig(
        "127.0.0.1", port, tlsDirectory, null, null, false, 60_000, 60_000, 2_000, 20_000, 0);
  }

  /** The same with a port on which clients share connections. */
  public GatewayConfig withPool(int atPort, PoolConfig shared) {
    return new GatewayConfig(
        host,
        port,
        tlsDirectory,
        certificateFile,
        keyFile,
        requireTls,
        loginTimeoutMs,
        wakeTimeoutMs,
        maxUnauthenticated,
        maxConnections,
        eventLoops,
        access,
        atPort,
        shared,
        operations);
  }

  /** The same with a certificate to show, PEM. */
  public GatewayConfig withCertificate(Path certificate, Path key) {
    return new GatewayConfig(
        host,
        port,
        tlsDirectory,
        certificate,
        key,
        requireTls,
        loginTimeoutMs,
        wakeTimeoutMs,
        maxUnauthenticated,
        maxConnections,
        eventLoops,
        access,
        poolPort,
        pool,
        operations);
  }

  /** The same for other clients. */
  public GatewayConfig with(GatewayAccess other) {
    return new GatewayConfig(
        host,
        port,
        tlsDirectory,
        certificateFile,
        keyFile,
        requireTls,
        loginTimeoutMs,
        wakeTimeoutMs,
        maxUnauthenticated,
        maxConnections,
        eventLoops,
        other,
        poolPort,
        pool,
        operations);
  }

  /** The same, looked after in another way. */
  public GatewayConfig with(GatewayOperations other) {
    return new GatewayConfig(
        host,
        port,
        tlsDirectory,
        certificateFile,
        keyFile,
        requireTls,
        loginTimeoutMs,
        wakeTimeoutMs,
        maxUnauthenticated,
        maxConnections,
        eventLoops,
        access,
        poolPort,
        pool,
        other);
  }
}
