package dev.ebb.gateway;

import dev.ebb.gateway.pool.PoolConfig;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.function.Consumer;
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
    return changed(copy -> {
      copy.poolPort = atPort;
      copy.pool = shared;
    });
  }

  /** The same with a certificate to show, PEM. */
  public GatewayConfig withCertificate(Path certificate, Path key) {
    return changed(copy -> {
      copy.certificateFile = certificate;
      copy.keyFile = key;
    });
  }

  /** The same for other clients. */
  public GatewayConfig with(GatewayAccess other) {
    return changed(copy -> copy.access = other);
  }

  /** The same, looked after in another way. */
  public GatewayConfig with(GatewayOperations other) {
    return changed(copy -> copy.operations = other);
  }

  /** The same on so many event loops. */
  public GatewayConfig withLoops(int loops) {
    return changed(copy -> copy.eventLoops = loops);
  }

  /** The same with these times to log in and to wake. */
  public GatewayConfig withTimeouts(long loginMs, long wakeMs) {
    return changed(copy -> {
      copy.loginTimeoutMs = loginMs;
      copy.wakeTimeoutMs = wakeMs;
    });
  }

  /** The same with so many connections that may be logging in at a time. */
  public GatewayConfig withMaxUnauthenticated(int max) {
    return changed(copy -> copy.maxUnauthenticated = max);
  }

  /** The same that refuses clients without TLS. */
  public GatewayConfig withTlsRequired() {
    return changed(copy -> copy.requireTls = true);
  }

  private GatewayConfig changed(Consumer<Copy> change) {
    var copy = new Copy(this);
    change.accept(copy);
    return copy.config();
  }

  /** What can be changed of a configuration. */
  private static final class Copy {
    private final GatewayConfig of;
    private @Nullable Path certificateFile;
    private @Nullable Path keyFile;
    private boolean requireTls;
    private long loginTimeoutMs;
    private long wakeTimeoutMs;
    private int maxUnauthenticated;
    private int eventLoops;
    private GatewayAccess access;
    private int poolPort;
    private PoolConfig pool;
    private GatewayOperations operations;

    Copy(GatewayConfig of) {
      this.of = of;
      certificateFile = of.certificateFile;
      keyFile = of.keyFile;
      requireTls = of.requireTls;
      loginTimeoutMs = of.loginTimeoutMs;
      wakeTimeoutMs = of.wakeTimeoutMs;
      maxUnauthenticated = of.maxUnauthenticated;
      eventLoops = of.eventLoops;
      access = of.access;
      poolPort = of.poolPort;
      pool = of.pool;
      operations = of.operations;
    }

    GatewayConfig config() {
      return new GatewayConfig(
          of.host,
          of.port,
          of.tlsDirectory,
          certificateFile,
          keyFile,
          requireTls,
          loginTimeoutMs,
          wakeTimeoutMs,
          maxUnauthenticated,
          of.maxConnections,
          eventLoops,
          access,
          poolPort,
          pool,
          operations);
    }
  }
}
