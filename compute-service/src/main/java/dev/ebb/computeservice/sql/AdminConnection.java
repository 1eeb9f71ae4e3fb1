package dev.ebb.computeservice.sql;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * One connection to a running compute as {@code ebb_admin}, over its unix socket. Statements run
 * one after the other; each fails with {@code EbbException.Unavailable} when its deadline passes.
 */
public final class AdminConnection {
  private AdminConnection() {}

  /** Connects to the maintenance database {@code postgres}. */
  public static Future<AdminConnection> connect(
      Vertx vertx, Path socketDirectory, int port, Duration timeout) {
    throw new UnsupportedOperationException("being written");
  }

  /** {@code CHECKPOINT}; as long as it takes, up to the timeout. */
  public Future<Void> checkpoint(Duration timeout) {
    throw new UnsupportedOperationException("being written");
  }

  /** What is flushed locally: U, when asked after the last block was read. */
  public Future<Lsn> flushLsn() {
    throw new UnsupportedOperationException("being written");
  }

  /**
   * Writes and commits a record, so that the flush position passes everything inserted before.
   * Waits for the synchronous standby as every commit does.
   */
  public Future<Void> forceCommit(Duration timeout) {
    throw new UnsupportedOperationException("being written");
  }

  /** Every role, by name. */
  public Future<List<RoleState>> roles() {
    throw new UnsupportedOperationException("being written");
  }

  /** One role. */
  public Future<Optional<RoleState>> role(String name) {
    throw new UnsupportedOperationException("being written");
  }

  /** What goes on now. */
  public Future<Activity> activity() {
    throw new UnsupportedOperationException("being written");
  }

  /**
   * Makes the owner role and hands it the template's database under its new name. May be repeated.
   *
   * @param role the owner
   * @param verifier its SCRAM-SHA-256 verifier
   * @param database the new name of {@code ebb_template}
   */
  public Future<Void> createOwner(String role, Secret verifier, String database) {
    throw new UnsupportedOperationException("being written");
  }

  /** Sets the password of {@code ebb_admin}, which it needs on TCP. */
  public Future<Void> setAdminPassword(Secret verifier) {
    throw new UnsupportedOperationException("being written");
  }

  public Future<Void> close() {
    throw new UnsupportedOperationException("being written");
  }
}
