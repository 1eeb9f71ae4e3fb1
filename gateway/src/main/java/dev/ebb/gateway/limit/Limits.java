package dev.ebb.gateway.limit;

import dev.ebb.shared.bus.ComputeMessage.ComputeReady;
import dev.ebb.shared.bus.ComputeMessage.HostAnnouncement;
import dev.ebb.shared.fleet.FleetView;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Cidr;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.Generation;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.net.InetAddress;
import java.time.Clock;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * Says whether a client may go on, by what its address and its database have used lately. For any
 * thread.
 *
 * <p>Whether a connection is going to start a compute nobody knows before it is made: a start is
 * counted when it is over, and where they are used up only computes that are known to run are
 * connected to.
 */
public final class Limits {
  private static final int IPV6_PREFIX = 64;
  private static final int MAX_STARTS = 10_000;
  private static final int MAX_SUCCESSES = 50_000;
  private static final long REMEMBERED_NANOS = TimeUnit.HOURS.toNanos(1);

  private final TokenBuckets<Cidr> connectionsByAddress;
  private final TokenBuckets<String> connectionsByDatabase;
  private final TokenBuckets<Cidr> failuresByAddress;
  private final TokenBuckets<String> failuresByDatabase;
  private final TokenBuckets<Cidr> wakesByAddress;
  private final TokenBuckets<String> wakesByDatabase;
  private final LongSupplier nanoTime;
  private final FleetView fleet;
  private final MeterRegistry meters;

  private record Login(Cidr address, String database, String role) {}

  private final Map<Login, Long> successes =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Login, Long> eldest) {
          return size() > MAX_SUCCESSES;
        }
      };

  /** The newest start of each branch that was counted: many clients wait for the same one. */
  private final Map<BranchId, Generation> counted =
      new LinkedHashMap<>(64, 0.75f, true) {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<BranchId, Generation> eldest) {
          return size() > MAX_STARTS;
        }
      };

  /**
   * All buckets are full.
   *
   * @param nanoTime as {@link System#nanoTime}
   */
  public Limits(LimitRates rates, Clock clock, LongSupplier nanoTime, MeterRegistry meters) {
    this.connectionsByAddress = new TokenBuckets<>(rates.connectionsPerAddress(), nanoTime);
    this.connectionsByDatabase = new TokenBuckets<>(rates.connectionsPerDatabase(), nanoTime);
    this.failuresByAddress = new TokenBuckets<>(rates.failedLoginsPerAddress(), nanoTime);
    this.failuresByDatabase = new TokenBuckets<>(rates.failedLoginsPerDatabase(), nanoTime);
    this.wakesByAddress = new TokenBuckets<>(rates.wakesPerAddress(), nanoTime);
    this.wakesByDatabase = new TokenBuckets<>(rates.wakesPerDatabase(), nanoTime);
    this.nanoTime = nanoTime;
    this.fleet = new FleetView(clock);
    this.meters = meters;
  }

  /** A host tells what runs. */
  public void heard(HostAnnouncement announcement) {
    fleet.accept(announcement);
  }

  /**
   * A client asks for a session.
   *
   * @throws LimitException where its address has had too many
   */
  public void connects(InetAddress address) {
    if (!connectionsByAddress.tryTake(key(address))) {
      throw refused(
          "connections",
          "address",
          "too many connections from " + address.getHostAddress() + " in a short time");
    }
  }

  /**
   * The same client, whose database there is and which it may come to.
   *
   * @throws LimitException where the database has had too many, or where the client may not try a
   *     password now
   */
  public void connects(InetAddress address, String database, String role) {
    if (!connectionsByDatabase.tryTake(database)) {
      throw refused(
          "connections",
          "database",
          "too many connections to database \"" + database + "\" in a short time");
    }
    if (hasSucceeded(new Login(key(address), database, role))) {
      return;
    }
    requireFewFailures(address);
    if (!failuresByDatabase.has(database) && !failuresByAddress.isFull(key(address))) {
      throw refused(
          "failed_logins", "database", "too many failed logins to database \"" + database + "\"");
    }
  }

  /**
   * A client asks for the console. Nothing is counted for all addresses together: anybody who
   * reaches the port could use that up, and keep those out who look after the gateway.
   *
   * @throws LimitException where the client may not try a password now
   */
  public void connectsToConsole(InetAddress address, String console, String role) {
    if (!hasSucceeded(new Login(key(address), console, role))) {
      requireFewFailures(address);
    }
  }

  private void requireFewFailures(InetAddress address) {
    if (!failuresByAddress.has(key(address))) {
      throw refused(
          "failed_logins", "address", "too many failed logins from " + address.getHostAddress());
    }
  }

  /**
   * A password was right: this role may try from this address for an hour, however many others fail
   * there. Who shares an address with somebody that has an old password is not to be kept out.
   */
  public void succeeded(InetAddress address, String database, String role) {
    synchronized (successes) {
      successes.put(new Login(key(address), database, role), nanoTime.getAsLong());
    }
  }

  private boolean hasSucceeded(Login login) {
    synchronized (successes) {
      Long at = successes.get(login);
      return at != null && nanoTime.getAsLong() - at < REMEMBERED_NANOS;
    }
  }

  /** A password was wrong. */
  public void failed(InetAddress address, String database) {
    failuresByAddress.take(key(address));
    failuresByDatabase.take(database);
  }

  /** The console's password was wrong. */
  public void failedAtConsole(InetAddress address) {
    failuresByAddress.take(key(address));
  }

  /**
   * A client is about to be connected to a branch.
   *
   * @throws LimitException where that could start a compute, and its address has started too many
   */
  public void wakes(InetAddress address, BranchId branch) {
    if (!wakesByAddress.has(key(address)) && !isRunning(branch)) {
      throw refused(
          "wakes", "address", "too many starts for clients from " + address.getHostAddress());
    }
  }

  /**
   * The same for the database.
   *
   * @throws LimitException where it has been started too often
   */
  public void wakes(String database, BranchId branch) {
    if (!wakesByDatabase.has(database) && !isRunning(branch)) {
      throw refused("wakes", "database", "too many starts of database \"" + database + "\"");
    }
  }

  /** A compute was started for a client from this address. */
  public void woken(InetAddress address) {
    wakesByAddress.take(key(address));
  }

  /** A compute answers; it may have been started. */
  public void woken(String database, ComputeReady ready) {
    if (ready.started() && isNew(ready)) {
      wakesByDatabase.take(database);
    }
  }

  private boolean isNew(ComputeReady ready) {
    synchronized (counted) {
      Generation before = counted.put(ready.branch(), ready.generation());
      return before == null || !before.equals(ready.generation());
    }
  }

  private boolean isRunning(BranchId branch) {
    return fleet.compute(branch).stream()
        .anyMatch(compute -> compute.status().state() == ComputeStatus.State.RUNNING);
  }

  /** An address that the database does not take clients from. */
  public void keptOut() {
    count("allowed_addresses", "address");
  }

  private LimitException refused(String what, String by, String message) {
    count(what, by);
    return new LimitException(message + ": try again later");
  }

  private void count(String what, String by) {
    Counter.builder("ebb.gateway.limited")
        .description("Clients kept out by a limit")
        .tag("limit", what)
        .tag("by", by)
        .register(meters)
        .increment();
  }

  private static Cidr key(InetAddress address) {
    return Cidr.around(address, IPV6_PREFIX);
  }
}
