package dev.ebb.launcher.wal;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.text.RecordText;
import dev.ebb.walservice.history.BranchWal;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code ebb wal dump}. */
@Command(
    name = "dump",
    description = {
      "Show the records of a branch's WAL, as pg_waldump of its version does; times are in UTC.",
      "Reads and shows piece by piece, whole records only."
    },
    footer = {
      "",
      "Examples:",
      "  ./ebb wal dump shop --rmgr transaction",
      "  ./ebb wal dump shop@dev --from 0/16B3748 --relation 16384 --json",
      "  PGPASSWORD=s3cret ./ebb wal dump shop --relation public.orders"
    })
final class DumpCommand extends WalTool {
  private static final int CHARS_A_LOOK = 1 << 16;

  @Option(names = "--from", paramLabel = "LSN", description = "The first record starts here.")
  private @Nullable String from;

  @Option(names = "--to", paramLabel = "LSN", description = "The last one starts before.")
  private @Nullable String to;

  @Option(names = "--rmgr", paramLabel = "NAME", description = "Only of this resource manager.")
  private @Nullable String manager;

  @Option(
      names = "--relation",
      paramLabel = "FILE|NAME",
      description = {
        "Only those that change this relation's files: 16384, 5/16384 or 1663/5/16384 as"
            + " pg_relation_filenode tells, or, while the server runs, a name such as"
            + " public.orders: asked of the branch, which wakes, as its owner with PGPASSWORD."
      })
  private @Nullable String relation;

  @Option(names = "--json", description = "JSON, an object a line.")
  private boolean json;

  /** Characters since it was looked whether somebody reads. */
  private int unseen;

  private Lsn first = Lsn.INVALID;
  private Lsn end = new Lsn(-1);
  private RecordFilter filter = new RecordFilter(null, null);

  @Override
  void check() {
    first = lsn("--from", from, first);
    end = lsn("--to", to, end);
    checkOrder(first, end);
    try {
      filter = RecordFilter.parse(manager, relation);
    } catch (IllegalArgumentException e) {
      throw usage(String.valueOf(e.getMessage()));
    }
  }

  @Override
  boolean prints() {
    return true;
  }

  @Override
  int run(BranchLogs logs) throws Exception {
    RecordFilter wanted =
        relation == null || filter.relation() != null
            ? filter
            : filter.of(RelationNames.ask(logs, relation));
    try (BranchWal wal = logs.open(first)) {
      walk(wal, wal.records(logs.options(), first), first, end, record -> show(wanted, record));
    }
    return 0;
  }

  private boolean show(RecordFilter wanted, WalRecord record) {
    if (!wanted.wants(record)) {
      return true;
    }
    String line = json ? RecordJson.of(record) : RecordText.line(record);
    out().println(line);
    boolean isFirst = unseen == 0;
    unseen += line.length() + 1;
    // Whoever reads sees the first one at once, and may have seen enough.
    if (isFirst || unseen > CHARS_A_LOOK) {
      unseen = 1;
      out().flush();
      endIfOver();
    }
    return true;
  }
}
