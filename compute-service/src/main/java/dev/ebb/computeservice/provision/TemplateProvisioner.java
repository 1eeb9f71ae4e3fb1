package dev.ebb.computeservice.provision;

import dev.ebb.computeservice.capture.BootBlocks;
import dev.ebb.computeservice.lifecycle.PostgresInstance;
import dev.ebb.computeservice.lifecycle.PostgresInstances;
import dev.ebb.computeservice.pages.CaptureSink;
import dev.ebb.computeservice.pages.PageClient;
import dev.ebb.computeservice.postgres.OsUser;
import dev.ebb.computeservice.postgres.PostgresBinaries;
import dev.ebb.computeservice.postgres.PostgresReleases;
import dev.ebb.computeservice.postgres.PostgresVersion;
import dev.ebb.computeservice.postgres.ProcessLauncher;
import dev.ebb.computeservice.postgres.Trees;
import dev.ebb.computeservice.template.SkeletonCheck;
import dev.ebb.computeservice.template.StoppedCluster;
import dev.ebb.computeservice.template.TemplateMaker;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.error.EbbException;
import dev.ebb.shared.model.BranchId;
import dev.ebb.shared.model.Generation;
import dev.ebb.shared.model.PostgresMajor;
import dev.ebb.shared.model.SnapshotId;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.store.ObjectStore;
import io.vertx.core.Vertx;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The template snapshot that new databases start from. Made once for each PostgreSQL version and
 * object store: {@code initdb}, a snapshot of all of it, then one start from that snapshot to learn
 * which pages every start reads, and a second snapshot with these in a boot pack.
 */
public final class TemplateProvisioner {
  /** The database in the template that becomes the user's by renaming. */
  public static final String DATABASE = TemplateMaker.DATABASE;

  private static final Logger log = LoggerFactory.getLogger(TemplateProvisioner.class);

  private final Vertx vertx;
  private final ObjectStore store;
  private final PageClient pages;
  private final PostgresReleases releases;
  private final OsUser user;
  private final ProcessLauncher launcher;
  private final PostgresInstances instances;
  private final Path scratch;

  /** Held while a template is looked up or made: who needs the same one waits for it. */
  private final Map<PostgresMajor, ReentrantLock> making = new ConcurrentHashMap<>();

  /** The template and its manifest. */
  public record Template(String manifestKey, Manifest manifest) {}

  /**
   * Makes the provisioner.
   *
   * @param scratch a directory for the cluster while it is made
   */
  public TemplateProvisioner(
      Vertx vertx,
      ObjectStore store,
      PageClient pages,
      PostgresReleases releases,
      OsUser user,
      ProcessLauncher launcher,
      PostgresInstances instances,
      Path scratch) {
    this.vertx = vertx;
    this.store = store;
    this.pages = pages;
    this.releases = releases;
    this.user = user;
    this.launcher = launcher;
    this.instances = instances;
    this.scratch = scratch;
  }

  /**
   * The template of a major version; makes it where there is none. Takes seconds then.
   *
   * @throws EbbException.Invalid where this host has no PostgreSQL of that version
   */
  public Template ensure(PostgresMajor major) {
    if (!releases.has(major)) {
      throw new EbbException.Invalid(
          "there is no PostgreSQL " + major + " here: choose one of " + releases.list());
    }
    PostgresBinaries binaries = releases.require(major);
    var pointer =
        new TemplatePointer(
            store, "templates/postgresql-" + binaries.version() + "/current", Clock.systemUTC());
    ReentrantLock lock = making.computeIfAbsent(major, m -> new ReentrantLock());
    lock.lock();
    try {
      String key = pointer.ensure(() -> make(binaries));
      return new Template(key, pages.manifest(key));
    } finally {
      lock.unlock();
    }
  }

  private String make(PostgresBinaries binaries) {
    var branch = new BranchId("template" + BranchId.random().value());
    Path directory = scratch.resolve(branch.value());
    log.info("making the template for PostgreSQL {}", binaries.version());
    try {
      StoppedCluster cluster = new TemplateMaker(binaries, user, launcher).make(directory);
      PageMessage.CaptureCommitted plain = snapshot(binaries, branch, cluster, "", List.of());
      List<Manifest.BlockRun> boot =
          BootBlocks.choose(
              SkeletonCheck.requiredBlocks(cluster.control(), cluster.files()),
              List.of(),
              _ -> true,
              demandsOfAStart(plain.manifestKey()));
      return snapshot(binaries, branch, cluster, plain.manifestKey(), boot).manifestKey();
    } catch (IOException e) {
      throw new EbbException.Unavailable("the template could not be made: " + e, e);
    } finally {
      deleteTree(directory);
    }
  }

  private PageMessage.CaptureCommitted snapshot(
      PostgresBinaries binaries,
      BranchId branch,
      StoppedCluster cluster,
      String base,
      List<Manifest.BlockRun> boot)
      throws IOException {
    try (CaptureSink sink = pages.openCapture(branch, Generation.NONE, base)) {
      if (base.isEmpty()) {
        for (Manifest.BlockFile file : cluster.files()) {
          for (int at = 0; at < file.blocks(); at += PageMessage.MAX_PAGES_PER_MESSAGE) {
            int count = Math.min(PageMessage.MAX_PAGES_PER_MESSAGE, file.blocks() - at);
            sink.put(
                file.key(),
                file.incarnation(),
                at,
                false,
                cluster.readBlocks(file.key(), at, count));
          }
        }
      }
      for (Manifest.BlockRun run : boot) {
        sink.put(
            run.file(),
            1,
            run.firstBlock(),
            true,
            cluster.readBlocks(run.file(), run.firstBlock(), run.count()));
      }
      return sink.commit(
          manifest(binaries.version(), branch, sink.snapshot(), cluster, boot), false);
    }
  }

  private static Manifest manifest(
      PostgresVersion version,
      BranchId branch,
      SnapshotId snapshot,
      StoppedCluster cluster,
      List<Manifest.BlockRun> boot) {
    return new Manifest(
        snapshot,
        branch,
        Generation.NONE,
        version.number(),
        cluster.control().systemIdentifier(),
        cluster.control().walSegmentBytes(),
        1,
        cluster.control().redo(),
        cluster.control().checkpoint(),
        cluster.endLsn(),
        true,
        2,
        cluster.directories(),
        cluster.smallFiles(),
        cluster.files(),
        cluster.walPieces(),
        "",
        boot,
        List.of(),
        -1,
        0,
        List.of(),
        new byte[0]);
  }

  /**
   * Starts from the snapshot with no page at hand, connects and asks a little, as a client would;
   * the blocks that were fetched for it are those that every start reads.
   */
  private List<Manifest.BlockRun> demandsOfAStart(String manifestKey) {
    Manifest manifest = pages.manifest(manifestKey);
    try (PostgresInstance trial = instances.trial(manifestKey, manifest)) {
      trial.warmUp(vertx, DATABASE);
      return trial.fetchedBlocks();
    }
  }

  private static void deleteTree(Path directory) {
    try {
      Trees.delete(directory);
    } catch (IOException e) {
      log.warn("{} could not be deleted: {}", directory, e.toString());
    }
  }
}
