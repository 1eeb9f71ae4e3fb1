package dev.ebb.shared.bus;

import dev.ebb.shared.model.BranchAddress;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.BranchPoint;
import dev.ebb.shared.model.ComputeStatus;
import dev.ebb.shared.model.DatabaseAccess;
import dev.ebb.shared.model.DatabaseId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.HostId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.ReplicaStatus;
import dev.ebb.shared.model.RoleState;
import dev.ebb.shared.model.Secret;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What is asked of computes and their hosts. Requests go to {@link Addresses#COMPUTE}: whichever
 * host receives one passes it on to the host that runs the branch, or, for a wake, to one with
 * room.
 */
public sealed interface ComputeMessage extends BusMessage {

  /**
   * Makes a database from the template: catalog, branch {@code main}, topic, first start, owner.
   *
   * @param ownerVerifier the owner's SCRAM-SHA-256 verifier
   */
  record CreateDatabase(String name, String owner, Secret ownerVerifier)
      implements ComputeMessage, Request<DatabaseCreated> {}

  /**
   * The same, of a major version that need not be the default. {@code Invalid} with the names of
   * those that there are where it is none of them.
   */
  record CreateDatabaseOf(PostgresMajor postgres, String name, String owner, Secret ownerVerifier)
      implements ComputeMessage, Request<DatabaseCreated> {}

  /** The new database answers queries. */
  record DatabaseCreated(DatabaseId database, BranchId branch) implements ComputeMessage {}

  /**
   * Ends its computes without a capture and deletes everything of it. {@code Conflict} where one of
   * its branches is protected.
   */
  record DropDatabase(String name) implements ComputeMessage, Request<Ok> {}

  /** The same, protected branches or not. */
  record DropProtectedDatabase(String name) implements ComputeMessage, Request<Ok> {}

  /** Starts the branch's primary unless it runs; answers when it accepts connections. */
  record WakeBranch(BranchId branch) implements ComputeMessage, Request<ComputeReady> {}

  /**
   * Starts the branch's primary unless it runs, for a client that asked for it by a name. {@code
   * NotFound} where the branch is called otherwise by now: look the name up again.
   */
  record ConnectBranch(BranchId branch, BranchAddress calledAs)
      implements ComputeMessage, Request<ComputeReady> {}

  /**
   * A primary accepts connections.
   *
   * @param started whether this very request's wake started it
   */
  record ComputeReady(
      BranchId branch,
      Generation generation,
      HostId host,
      String address,
      int port,
      boolean started,
      WakeParts parts)
      implements ComputeMessage {}

  /** What a wake spent its time on, in microseconds; 0 where a part did not happen. */
  record WakeParts(
      long headMicros,
      long manifestMicros,
      long logMicros,
      long skeletonMicros,
      long postgresMicros,
      long totalMicros) {}

  /**
   * Captures the branch's primary and stops it; no error where none runs.
   *
   * @param onlyIfIdleMs when positive: only where nothing used it for that long; {@code Conflict}
   *     otherwise
   */
  record SuspendBranch(BranchId branch, long onlyIfIdleMs)
      implements ComputeMessage, Request<Suspended> {}

  /** The branch sleeps. */
  record Suspended(boolean wasRunning, Lsn endLsn, long captureMicros) implements ComputeMessage {}

  /**
   * Ends the branch's primary at once and without a capture: the branch is being dropped. Goes to
   * the address of the host that runs it; no error where none runs.
   */
  record DiscardBranch(BranchId branch) implements ComputeMessage, Request<Ok> {}

  /** Captures the branch's primary without stopping it; no error where none runs. */
  record CaptureBranch(BranchId branch) implements ComputeMessage, Request<Ok> {}

  /** The branch was renamed: whoever runs it looks its name up again. */
  record RefreshName(BranchId branch) implements ComputeMessage, Request<Ok> {}

  /**
   * Makes a branch of another one of the same database.
   *
   * @param at null for its head, as it is now
   */
  record CreateBranch(String database, String branch, String from, @Nullable BranchPoint at)
      implements ComputeMessage, Request<BranchCreated> {}

  /** It can be connected to. */
  record BranchCreated(BranchId branch, Lsn forkLsn) implements ComputeMessage {}

  /** Drops a branch with all that is only its own; {@code force} also where it has children. */
  record DropBranch(String database, String branch, boolean force)
      implements ComputeMessage, Request<Ok> {}

  /** Gives a branch another name. Its sessions go on. */
  record RenameBranch(String database, String branch, String to)
      implements ComputeMessage, Request<Ok> {}

  /** Puts a branch back to its parent's head. What it had is gone. */
  record ResetBranch(String database, String branch)
      implements ComputeMessage, Request<BranchReplaced> {}

  /** Puts a branch back to a point in its past; what it has now is kept as another branch. */
  record RestoreBranch(String database, String branch, BranchPoint at)
      implements ComputeMessage, Request<BranchReplaced> {}

  /**
   * A name means another branch now.
   *
   * @param branch what it means now
   * @param keptAs the name of what it meant before; empty where that was dropped
   */
  record BranchReplaced(BranchId branch, Lsn forkLsn, String keptAs) implements ComputeMessage {}

  /** Puts protection on a branch or takes it off. */
  record ProtectBranch(String database, String branch, boolean isProtected)
      implements ComputeMessage, Request<Ok> {}

  /**
   * Wants so many more replicas of a branch, and answers when they accept connections. {@code
   * Exhausted} where there is no room for them; where one does not start, none of the new ones is
   * wanted any more.
   *
   * @param count at least 1
   */
  record AddReplicas(String database, String branch, int count)
      implements ComputeMessage, Request<ReplicasChanged> {}

  /**
   * Wants so many fewer; answers when they are gone. {@code Invalid} where there are fewer than
   * that.
   */
  record RemoveReplicas(String database, String branch, int count)
      implements ComputeMessage, Request<ReplicasChanged> {}

  /**
   * How many replicas of the branch are wanted now.
   *
   * @param changed those that were started, or ended
   */
  record ReplicasChanged(BranchId branch, int wanted, List<ReplicaId> changed)
      implements ComputeMessage {}

  /**
   * Starts a replica on this host; answers when it accepts connections. Goes to the address of the
   * host.
   */
  record StartReplica(BranchId branch) implements ComputeMessage, Request<ReplicaReady> {}

  /**
   * A replica accepts connections.
   *
   * @param totalMicros that its start took
   */
  record ReplicaReady(BranchId branch, ReplicaId replica, HostId host, int port, long totalMicros)
      implements ComputeMessage {}

  /** Ends a replica of this host; no error where there is none. Goes to the address of the host. */
  record StopReplica(ReplicaId replica) implements ComputeMessage, Request<Ok> {}

  /** The branches of a database changed: whoever keeps replicas looks what is wanted now. */
  record ReviewReplicas(String database) implements ComputeMessage, Request<Ok> {}

  /** Asks for what a database's branches hold. */
  record DescribeBranches(String database) implements ComputeMessage, Request<BranchesDescribed> {}

  /** By branch, in no order. */
  record BranchesDescribed(List<BranchSize> branches) implements ComputeMessage {
    /**
     * What a branch holds.
     *
     * @param logicalBytes of all its files of blocks, as of its newest snapshot
     * @param ownBytes of the objects that are stored for it alone
     * @param endLsn where its newest snapshot ends
     */
    public record BranchSize(BranchId branch, long logicalBytes, long ownBytes, Lsn endLsn) {}
  }

  /** Asks for a role: of the running compute where there is one, else of the newest snapshot. */
  record LookupRole(BranchId branch, String role) implements ComputeMessage, Request<RoleFound> {}

  /**
   * The role, or null.
   *
   * @param wakeNeeded the branch ended uncleanly, so that only a running compute knows: wake it and
   *     ask again
   */
  record RoleFound(@Nullable RoleState role, boolean wakeNeeded) implements ComputeMessage {}

  /**
   * The same with what the database says of it, for a login to {@code database} inside the branch's
   * cluster.
   */
  record LookupLogin(BranchId branch, String role, String database)
      implements ComputeMessage, Request<LoginFound> {}

  /**
   * The role, or null.
   *
   * @param access null where the database is open to everybody without a limit
   * @param wakeNeeded as in {@link RoleFound}
   */
  record LoginFound(@Nullable RoleState role, @Nullable DatabaseAccess access, boolean wakeNeeded)
      implements ComputeMessage {}

  /**
   * Asks which damaged pages the branch's compute met lately: an error of PostgreSQL's (XX001,
   * "invalid page in block 7 of relation base/5/16384", or 58030) says which page, but not which
   * object holds it.
   */
  record DescribeDamage(BranchId branch) implements ComputeMessage, Request<Damages> {}

  /** The latest first, each page once; a bounded number. Empty where no compute runs. */
  record Damages(List<Damage> latest) implements ComputeMessage {}

  /**
   * A page whose stored bytes are not what was written.
   *
   * @param relation its file as PostgreSQL's messages spell it, without the segment: {@code
   *     base/5/16384}, {@code base/5/16384_vm}; for the commit log and its like the file, {@code
   *     pg_xact/0000}
   * @param block counted from the start of {@code relation}, as PostgreSQL's messages do
   * @param backendPid the process that read it last; may be a parallel worker of the one that
   *     reports it
   * @param cause names the object and what is wrong with it
   * @param metAtEpochMs when it was last read
   */
  record Damage(String relation, long block, int backendPid, String cause, long metAtEpochMs) {}

  /** Published every second, and at every change, on {@link Addresses#HOSTS}. */
  record HostAnnouncement(
      HostId host,
      String address,
      int room,
      int capacity,
      boolean leaving,
      List<ComputeStatus> computes)
      implements ComputeMessage {}

  /** What is known of every host that is alive, the one that answers among them. */
  record DescribeHosts() implements ComputeMessage, Request<HostsDescribed> {}

  /** The newest announcement of each. */
  record HostsDescribed(List<HostAnnouncement> hosts) implements ComputeMessage {}

  /**
   * The same of its replicas, published beside it: who looks for a branch's one primary does not
   * meet them.
   */
  record ReplicaAnnouncement(HostId host, String address, List<ReplicaStatus> replicas)
      implements ComputeMessage {}
}
