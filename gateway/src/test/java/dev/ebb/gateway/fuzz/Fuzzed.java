package dev.ebb.gateway.fuzz;

import dev.ebb.gateway.FakeComputes;
import dev.ebb.gateway.GatewayConfig;
import dev.ebb.gateway.GatewayFixture;
import dev.ebb.gateway.RealPostgres;
import dev.ebb.gateway.pool.PoolConfig;
import dev.ebb.gateway.pool.PoolMode;
import dev.ebb.gateway.pool.PoolTerms;
import io.netty.util.ResourceLeakDetector;
import java.nio.file.Path;
import java.util.List;

/** A gateway of one event loop and two shared connections, in front of a database to be harmed. */
final class Fuzzed implements AutoCloseable {
  static final String DATABASE = "fuzzed";
  static final String ROLE = "fuzz";

  /** Like {@link #ROLE}, but what it is answered may be broken. */
  static final String VICTIM = "fuzz_victim";

  /** Whose computes may break the protocol while it logs in. */
  static final String HOPEFUL = "fuzz_hopeful";

  private static final PoolConfig TWO =
      new PoolConfig(
          new PoolTerms(PoolMode.TRANSACTION, 2, 0),
          List.of(),
          60,
          2_000,
          60_000,
          600_000,
          3_600_000,
          20,
          PoolConfig.WARM_QUERY);

  private static final long LOGIN_MS = 5_000;
  private static final long WAKE_MS = 2_000;

  private final ResourceLeakDetector.Level before;
  final GatewayFixture gateway;

  Fuzzed(Path directory) {
    RealPostgres postgres = RealPostgres.shared();
    if (postgres.number("SELECT count(*) FROM pg_roles WHERE rolname = '" + ROLE + "'") == 0) {
      for (String role : new String[] {ROLE, VICTIM, HOPEFUL}) {
        postgres.sql("CREATE ROLE " + role + " LOGIN PASSWORD '" + RealPostgres.PASSWORD + "'");
        postgres.sql("ALTER ROLE " + role + " SET statement_timeout = '5s'");
      }
      postgres.sql("CREATE DATABASE " + DATABASE + " OWNER " + ROLE);
    }
    gateway = new GatewayFixture(directory, Fuzzed::configure);
    gateway.branches.put(DATABASE + "@main", FakeComputes.SHOP);
    before = ResourceLeakDetector.getLevel();
    ResourceLeakDetector.setLevel(ResourceLeakDetector.Level.PARANOID); // Vert.x turns it off
  }

  private static GatewayConfig configure(GatewayConfig config) {
    return config.withTimeouts(LOGIN_MS, WAKE_MS).withLoops(1).withPool(0, TWO);
  }

  @Override
  public void close() {
    gateway.close();
    ResourceLeakDetector.setLevel(before);
  }
}
