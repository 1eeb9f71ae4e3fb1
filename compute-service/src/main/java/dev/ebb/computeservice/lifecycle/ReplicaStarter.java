package dev.ebb.computeservice.lifecycle;

import dev.ebb.computeservice.postgres.ReplicaFiles;
import dev.ebb.shared.bus.Addresses;
import dev.ebb.shared.bus.WalMessage;
import dev.ebb.shared.catalog.BranchHead;
import dev.ebb.shared.catalog.BranchHeads;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.model.ReplicaId;
import dev.ebb.shared.model.Secret;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.scram.WalToken;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Starts replicas: of the branch's newest snapshot, as a primary is started, but on a control file
 * that has it wait for WAL, which the WAL sender streams to it from then on. Neither the head nor
 * the log learns of it.
 *
 * <p>It lets nobody in before it is consistent: behind the clean end of a suspend at once, else
 * when it has replayed up to the snapshot's end. Where the primary runs transactions with more than
 * 64 subtransactions, it may have to wait until those end ({@code procarray.c}).
 */
public final class ReplicaStarter {
  private static final Logger log = LoggerFactory.getLogger(ReplicaStarter.class);
  private static final long SENDER_TIMEOUT_MS = 5_000;

  private final PrimaryContext context;
  private final Function<BranchId, Lsn> durable;
  private final Secret token;

  /**
   * @param durable up to where a branch's primary says that the log is durable; {@code Lsn.INVALID}
   *     where none is known
   */
  public ReplicaStarter(PrimaryContext context, Function<BranchId, Lsn> durable) {
    this.context = context;
    this.durable = durable;
    this.token = WalToken.of(context.config().clusterSecret());
  }

  /** The branch's head; {@code NotFound} where it is dropped. */
  BranchHead head(BranchId branch) {
    return context
        .heads()
        .read(branch)
        .map(BranchHeads.Versioned::head)
        .filter(head -> !head.dropped() && !head.manifestKey().isEmpty())
        .orElseThrow(() -> new EbbException.NotFound("there is no branch " + branch));
  }

  /** Starts one; returns when it accepts connections. */
  Replica start(ReplicaId id, BranchHead head) {
    long begin = System.nanoTime();
    Manifest manifest = context.pages().manifest(head.manifestKey());
    var snapshot = new FollowedSnapshot(head, manifest, context.heads(), context.pages()::manifest);
    var kind = kind(id, head.branch(), manifest);
    PostgresInstance instance =
        context
            .instances()
            .lay(
                new PostgresInstances.Start(
                    head.branch() + "-replica",
                    head.generation(),
                    snapshot.read(),
                    manifest,
                    head.systemIdentifier(),
                    kind));
    try {
      instance.launch();
    } catch (RuntimeException e) {
      instance.close();
      throw e;
    }
    long micros = (System.nanoTime() - begin) / 1_000;
    log.info(
        "branch {}: replica {} accepts connections after {} us (from {})",
        head.branch(),
        id,
        micros,
        kind.from());
    return new Replica(
        context, this, id, head, manifest.endLsn(), instance, snapshot, kind, micros);
  }

  private PostgresInstances.Kind.Replica kind(ReplicaId id, BranchId branch, Manifest manifest) {
    return new PostgresInstances.Kind.Replica(
        source(branch), manifest.replayFrom(), "ebb_replica_" + id);
  }

  /** Where WAL comes from now. */
  ReplicaFiles.Source source(BranchId branch) {
    var found = context.bus().call(Addresses.WAL, new WalMessage.FindSender(), SENDER_TIMEOUT_MS);
    return new ReplicaFiles.Source(found.host(), found.port(), branch, token);
  }

  Lsn durable(BranchId branch) {
    return durable.apply(branch);
  }
}
