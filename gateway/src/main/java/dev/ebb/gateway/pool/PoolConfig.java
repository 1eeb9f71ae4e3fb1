package dev.ebb.gateway.pool;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * How connections to computes are shared.
 *
 * @param terms for each role of a branch that no rule is for
 * @param rules those for a role outrank those for a database
 * @param maxPerBranch connections for all roles of a branch together
 * @param maxInAll connections to all computes
 * @param waitTimeoutMs how long a client's transaction waits for a connection
 * @param idleTimeoutMs after which an unused connection is closed
 * @param lifetimeMs after which a connection is closed as soon as nobody uses it
 * @param maxPreparedStatements that a connection keeps
 * @param warmQuery what a connection runs that is opened before somebody needs it
 */
public record PoolConfig(
    PoolTerms terms,
    List<PoolRule> rules,
    int maxPerBranch,
    int maxInAll,
    long waitTimeoutMs,
    long idleTimeoutMs,
    long lifetimeMs,
    int maxPreparedStatements,
    String warmQuery) {

  /**
   * A session reads the catalog for whatever it does first; this has it read what each statement
   * needs: types, operators, an index.
   */
  public static final String WARM_QUERY =
      "SELECT relname FROM pg_catalog.pg_class WHERE oid = 1259";

  /** PgBouncer's figures where it has any. */
  public static final PoolConfig DEFAULT =
      new PoolConfig(
          new PoolTerms(PoolMode.TRANSACTION, 20, 0),
          List.of(),
          60,
          2_000,
          120_000,
          600_000,
          3_600_000,
          200,
          WARM_QUERY);

  public PoolConfig {
    var wrong = new ArrayList<String>();
    rules =
        rules.stream()
            .sorted(Comparator.comparing((PoolRule rule) -> rule.role() == null))
            .toList();
    if (maxPerBranch < 1 || maxInAll < 1) {
      wrong.add("a pool needs at least one connection");
    }
    if (waitTimeoutMs < 1 || idleTimeoutMs < 1 || lifetimeMs < 1) {
      wrong.add("a pool's timeouts must be positive");
    }
    if (maxPreparedStatements < 1) {
      wrong.add("a pool's connections must be allowed a prepared statement");
    }
    if (!wrong.isEmpty()) {
      throw new IllegalArgumentException(String.join("; ", wrong));
    }
  }

  /** With these terms for all, and no rules. */
  public PoolConfig with(PoolTerms forAll) {
    return new PoolConfig(
        forAll,
        List.of(),
        maxPerBranch,
        maxInAll,
        waitTimeoutMs,
        idleTimeoutMs,
        lifetimeMs,
        maxPreparedStatements,
        warmQuery);
  }

  /** What holds for the clients of a role. */
  PoolTerms termsOf(String database, String role) {
    return rules.stream()
        .filter(rule -> rule.isFor(database, role))
        .map(PoolRule::terms)
        .findFirst()
        .orElse(terms);
  }
}
