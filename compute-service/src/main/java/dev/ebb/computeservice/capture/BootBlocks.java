package dev.ebb.computeservice.capture;

import dev.ebb.computeservice.blockmap.LocalFiles;
import dev.ebb.computeservice.pages.CaptureSink;
import dev.ebb.shared.bus.PageMessage;
import dev.ebb.shared.page.FileKey;
import dev.ebb.shared.page.Manifest;
import dev.ebb.shared.page.Manifest.BlockRun;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;

/**
 * Which blocks go into the next snapshot's boot pack: those of the last one, and the catalog's that
 * this compute had to ask for. A bounded number, since a start reads them all.
 */
public final class BootBlocks {
  /** 1.5 MiB before compression: a wake with one lookup must stay below 2 MB. */
  static final int MAX_BLOCKS = 192;

  /** Relations below this number were made by initdb: the catalog; {@code FirstNormalObjectId}. */
  private static final int FIRST_NORMAL = 16384;

  /** template1, template0 and postgres ({@code pg_database.dat}): no client goes there. */
  private static final Set<Integer> MAINTENANCE_DATABASES = Set.of(1, 4, 5);

  private static final Comparator<BlockRun> ORDER =
      Comparator.comparing(BlockRun::file).thenComparingInt(BlockRun::firstBlock);

  private final List<BlockRun> known;
  private final Supplier<List<BlockRun>> demanded;
  private final LocalFiles files;

  /**
   * Makes the chooser.
   *
   * @param known those of the snapshot that the compute started from
   * @param demanded what it had to ask for
   */
  public BootBlocks(List<BlockRun> known, Supplier<List<BlockRun>> demanded, LocalFiles files) {
    this.known = known;
    this.demanded = demanded;
    this.files = files;
  }

  /** Adds the pages to a capture and returns which they are. */
  List<BlockRun> put(List<BlockRun> required, List<Manifest.BlockFile> table, CaptureSink sink)
      throws IOException {
    Map<FileKey, Manifest.BlockFile> byKey = new HashMap<>();
    for (Manifest.BlockFile file : table) {
      byKey.put(file.key(), file);
    }
    var kept = new ArrayList<BlockRun>();
    for (BlockRun run : choose(required, known, demanded.get())) {
      Manifest.BlockFile file = byKey.get(run.file());
      if (file == null || run.firstBlock() + run.count() > file.blocks()) {
        continue;
      }
      var pages = files.readPresent(run.file(), file.incarnation(), run.firstBlock(), run.count());
      if (pages.isPresent()) {
        sink.put(run.file(), file.incarnation(), run.firstBlock(), true, pages.get());
        kept.add(run);
      }
    }
    return List.copyOf(kept);
  }

  /**
   * What every start needs outside the relations; then relations' blocks up to the bound, the known
   * ones first, then demanded ones of the catalog. Sorted, merged.
   */
  public static List<BlockRun> choose(
      List<BlockRun> required, List<BlockRun> known, List<BlockRun> demanded) {
    var chosen = new ArrayList<BlockRun>(required);
    int blocks = 0;
    for (BlockRun run : known) {
      if (isRelation(run.file()) && blocks + run.count() <= MAX_BLOCKS) {
        chosen.add(run);
        blocks += run.count();
      }
    }
    for (BlockRun run : demanded.stream().sorted(ORDER).toList()) {
      if (isCatalog(run.file()) && blocks + run.count() <= MAX_BLOCKS) {
        chosen.add(run);
        blocks += run.count();
      }
    }
    return merge(chosen);
  }

  private static boolean isCatalog(FileKey file) {
    return isRelation(file)
        && !MAINTENANCE_DATABASES.contains(file.database())
        && Integer.compareUnsigned(file.relation(), FIRST_NORMAL) < 0;
  }

  private static boolean isRelation(FileKey file) {
    return file.kind() == FileKey.Kind.RELATION;
  }

  /** Sorted, without overlaps; no run is longer than a message holds. */
  static List<BlockRun> merge(List<BlockRun> runs) {
    var merged = new ArrayList<BlockRun>();
    for (BlockRun next : runs.stream().sorted(ORDER).toList()) {
      BlockRun last = merged.isEmpty() ? null : merged.getLast();
      if (last != null && joins(last, next)) {
        int end = Math.max(last.firstBlock() + last.count(), next.firstBlock() + next.count());
        merged.set(
            merged.size() - 1,
            new BlockRun(last.file(), last.firstBlock(), end - last.firstBlock()));
      } else {
        merged.add(next);
      }
    }
    return List.copyOf(merged);
  }

  private static boolean joins(BlockRun last, BlockRun next) {
    return last.file().equals(next.file())
        && last.firstBlock() + last.count() >= next.firstBlock()
        && next.firstBlock() + next.count() - last.firstBlock()
            <= PageMessage.MAX_PAGES_PER_MESSAGE;
  }
}
