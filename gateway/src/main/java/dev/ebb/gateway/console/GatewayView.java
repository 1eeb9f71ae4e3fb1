package dev.ebb.gateway.console;

import dev.ebb.gateway.pool.Pauses;
import dev.ebb.gateway.pool.PoolInfo;
import dev.ebb.gateway.relay.DatabaseTraffic;
import dev.ebb.shared.model.BranchAddress;
import io.vertx.core.Future;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/** The gateway as the console sees it, and what can be done to it there. For any thread. */
public interface GatewayView {
  /** Every client of every event loop, this console's own included. */
  Future<List<ClientInfo>> clients();

  /** The pools of every event loop. */
  Future<List<PoolInfo>> pools();

  List<DatabaseTraffic> databases();

  Pauses pauses();

  /** What is configured, secrets left out. */
  List<Setting> settings();

  /** Whether there is such a branch. */
  Future<Boolean> exists(BranchAddress address);

  /**
   * Transactions wait from now on; completes when none runs any more on the branch.
   *
   * @param address {@code database@branch}; empty: all branches
   * @param isGone whether nobody waits for it any more: the pause stays, the future fails
   */
  Future<Void> pause(String address, BooleanSupplier isGone);

  /**
   * They go on.
   *
   * @return whether they waited
   */
  boolean resume(String address);

  /**
   * Ends clients.
   *
   * @return how many
   */
  Future<Integer> kill(Predicate<ClientInfo> clients);

  /** Pauses a branch and ends all that is connected to it; returns how many clients. */
  Future<Integer> killBranch(String address);

  /** Reads again what can be; completes with what was done, or fails with what is wrong. */
  Future<List<String>> reload();

  /**
   * A setting.
   *
   * @param name as in the configuration file
   * @param changeable whether a reload takes it over
   */
  record Setting(String name, String value, String defaultValue, boolean changeable) {}
}
