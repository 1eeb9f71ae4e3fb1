package dev.ebb.launcher.wal;

import dev.ebb.launcher.client.Json;
import dev.ebb.shared.wal.TransactionEnd;
import dev.ebb.shared.wal.WalBlock;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Records as text, in the form of {@code pg_waldump}, and as JSON, an object a line. */
final class RecordText {
  private RecordText() {}

  static String line(WalRecord record) throws WalException {
    var text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "rmgr: %-11s len (rec/tot): %6d/%6d, tx: %10s, lsn: %s, prev %s, desc: %s",
            record.resourceManagerName(),
            record.bytesWithoutImages(),
            record.totalBytes(),
            Integer.toUnsignedString(record.xid()),
            record.start(),
            record.previous(),
            record.name()));
    if (TransactionEnd.is(record)) {
      text.append(' ').append(TransactionEnd.timeOf(record));
    }
    for (int i = 0; i < record.blocks(); i++) {
      WalBlock block = record.block(i);
      text.append(", blkref #").append(block.id()).append(": rel ").append(block.relation());
      if (block.fork().number() != 0) {
        text.append(" fork ").append(block.fork());
      }
      text.append(" blk ").append(Integer.toUnsignedString(block.blockNumber()));
      if (block.hasImage()) {
        text.append(" FPW");
      }
    }
    return text.toString();
  }

  static String json(WalRecord record) throws WalException {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("lsn", record.start().toString());
    json.put("end", record.end().toString());
    json.put("previous", record.previous().toString());
    json.put("xid", Integer.toUnsignedLong(record.xid()));
    json.put("rmgr", record.resourceManagerName());
    json.put("name", record.name());
    json.put("bytes", record.totalBytes());
    json.put("imageBytes", record.imageBytes());
    if (TransactionEnd.is(record)) {
      json.put("time", TransactionEnd.timeOf(record).toString());
    }
    List<Object> blocks = new ArrayList<>();
    for (int i = 0; i < record.blocks(); i++) {
      WalBlock block = record.block(i);
      Map<String, Object> one = new LinkedHashMap<>();
      one.put("id", block.id());
      one.put("relation", block.relation().toString());
      one.put("fork", block.fork().toString());
      one.put("block", Integer.toUnsignedLong(block.blockNumber()));
      one.put("image", block.hasImage());
      blocks.add(one);
    }
    json.put("blocks", blocks);
    return Json.write(json);
  }
}
