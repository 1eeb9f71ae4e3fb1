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
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Which blocks go into the next snapshot's boot pack: those of the last one, and the catalog's that
 * this compute had to ask for. A bounded number, since a start reads them all: where there are
 * more, those of the last one go first that nobody has used since the start, so that the pack
 * follows what a branch's clients do now.
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
   * @param demanded what it had to ask for, in that order
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
    for (BlockRun run : choose(required, known, this::isUsed, demanded.get())) {
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

  private boolean isUsed(BlockRun block) {
    OptionalInt entry = files.map().find(block.file());
    return entry.isPresent()
        && block.firstBlock() < files.map().sizeBlocks(entry.getAsInt())
        && files.map().isAccessed(entry.getAsInt(), block.firstBlock());
  }

  /**
   * What every start needs outside the relations; then relations' blocks up to the bound: known
   * ones that were used again, demanded ones of the catalog in the order in which they were
   * demanded (what a session begins with comes first), the other known ones. Sorted, merged.
   *
   * @param isUsed whether a known block, a run of one, has been used since the start
   */
  public static List<BlockRun> choose(
      List<BlockRun> required,
      List<BlockRun> known,
      Predicate<BlockRun> isUsed,
      List<BlockRun> demanded) {
    List<BlockRun> before =
        known.stream().filter(run -> isRelation(run.file())).flatMap(BootBlocks::blocks).toList();
    var chosen = new LinkedHashSet<BlockRun>();
    before.stream().filter(isUsed).forEach(chosen::add);
    demanded.stream()
        .filter(run -> isCatalog(run.file()))
        .flatMap(BootBlocks::blocks)
        .forEach(chosen::add);
    chosen.addAll(before);
    var all = new ArrayList<BlockRun>(required);
    chosen.stream().limit(MAX_BLOCKS).forEach(all::add);
    return merge(all);
  }

  private static Stream<BlockRun> blocks(BlockRun run) {
    return IntStream.range(run.firstBlock(), run.firstBlock() + run.count())
        .mapToObj(block -> new BlockRun(run.file(), block, 1));
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
