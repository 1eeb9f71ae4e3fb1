package dev.ebb.launcher.wal;

import dev.ebb.launcher.client.Json;
import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalBlock;
import dev.ebb.walservice.history.BranchWal;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ebb wal stats}. */
@Command(
    name = "stats",
    description = "Tell what a branch's WAL consists of: by resource manager and by relation file.",
    footer = {"", "Example: ./ebb wal stats shop --from 0/16B3748"})
final class StatsCommand extends WalTool {
  private static final int BAR = 30;
  private static final int RELATIONS = 20;

  @Option(names = "--from", paramLabel = "LSN", description = "The first record starts here.")
  private @Nullable String from;

  @Option(names = "--to", paramLabel = "LSN", description = "The last one starts before.")
  private @Nullable String to;

  @Option(names = "--json", description = "Print JSON.")
  private boolean json;

  private Lsn first = Lsn.INVALID;
  private Lsn end = new Lsn(-1);

  /** What belongs to one name; the bytes of images are among its bytes. */
  static final class Share {
    private long records;
    private long bytes;
    private long imageBytes;

    void add(long moreBytes, long moreImageBytes) {
      records++;
      bytes += moreBytes;
      imageBytes += moreImageBytes;
    }

    long bytes() {
      return bytes;
    }
  }

  @Override
  void check() {
    first = lsn("--from", from, first);
    end = lsn("--to", to, end);
    checkOrder(first, end);
  }

  @Override
  int run(BranchLogs logs) throws Exception {
    Map<String, Share> managers = new TreeMap<>();
    Map<String, Share> relations = new TreeMap<>();
    var all = new Share();
    try (BranchWal wal = logs.open(first)) {
      walk(
          wal,
          wal.records(logs.options(), first),
          first,
          end,
          record -> {
            all.add(record.totalBytes(), record.imageBytes());
            share(managers, record.resourceManagerName())
                .add(record.totalBytes(), record.imageBytes());
            for (int i = 0; i < record.blocks(); i++) {
              WalBlock block = record.block(i);
              share(relations, block.relation().toString())
                  .add((long) block.dataBytes() + block.imageBytes(), block.imageBytes());
            }
            return true;
          });
    }
    if (json) {
      var result = new LinkedHashMap<String, Object>();
      result.put("records", all.records);
      result.put("bytes", all.bytes);
      result.put("imageBytes", all.imageBytes);
      result.put("managers", objects(managers, Integer.MAX_VALUE));
      result.put("relations", objects(relations, Integer.MAX_VALUE));
      out().println(Json.write(result));
      return 0;
    }
    out().print(table("resource manager", managers, all.bytes, Integer.MAX_VALUE));
    out().println();
    out().print(table("relation file (data about its blocks)", relations, all.bytes, RELATIONS));
    out()
        .printf(
            Locale.ROOT,
            "%n%d records, %d bytes, %.1f %% of them page images%n",
            all.records,
            all.bytes,
            percent(all.imageBytes, all.bytes));
    return 0;
  }

  private static Share share(Map<String, Share> of, String name) {
    return of.computeIfAbsent(name, key -> new Share());
  }

  private static double percent(long part, long whole) {
    return whole == 0 ? 0 : 100.0 * part / whole;
  }

  /** The largest first. */
  private static List<Map.Entry<String, Share>> ordered(Map<String, Share> shares, int most) {
    return shares.entrySet().stream()
        .sorted(
            Comparator.comparingLong((Map.Entry<String, Share> share) -> -share.getValue().bytes()))
        .limit(most)
        .toList();
  }

  private static List<Object> objects(Map<String, Share> shares, int most) {
    List<Object> objects = new ArrayList<>();
    ordered(shares, most)
        .forEach(share -> {
          var one = new LinkedHashMap<String, Object>();
          one.put("name", share.getKey());
          one.put("records", share.getValue().records);
          one.put("bytes", share.getValue().bytes);
          one.put("imageBytes", share.getValue().imageBytes);
          objects.add(one);
        });
    return objects;
  }

  /** Columns, and a bar of each one's part of the whole. */
  static String table(String head, Map<String, Share> shares, long whole, int most) {
    var text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT, "%-38s %10s %14s %7s %8s%n", head, "records", "bytes", "%", "images %"));
    ordered(shares, most)
        .forEach(entry -> {
          Share share = entry.getValue();
          double part = percent(share.bytes, whole);
          text.append(
              String.format(
                  Locale.ROOT,
                  "%-38s %10d %14d %7.1f %8.1f %s%n",
                  entry.getKey(),
                  share.records,
                  share.bytes,
                  part,
                  percent(share.imageBytes, share.bytes),
                  "#".repeat((int) Math.round(part * BAR / 100))));
        });
    if (shares.size() > most) {
      text.append(String.format(Locale.ROOT, "and %d more%n", shares.size() - most));
    }
    return text.toString();
  }
}
