package dev.ebb.launcher.wal;

import dev.ebb.launcher.client.Json;
import dev.ebb.shared.wal.TransactionEnd;
import dev.ebb.shared.wal.WalBlock;
import dev.ebb.shared.wal.WalException;
import dev.ebb.shared.wal.WalRecord;
import dev.ebb.shared.wal.text.RecordText;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Records as JSON, an object a line. */
final class RecordJson {
  private RecordJson() {}

  static String of(WalRecord record) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("lsn", record.start().toString());
    json.put("end", record.end().toString());
    json.put("previous", record.previous().toString());
    json.put("xid", Integer.toUnsignedLong(record.xid()));
    json.put("rmgr", record.resourceManagerName());
    json.put("name", record.name());
    json.put("description", RecordText.describe(record));
    json.put("bytes", record.totalBytes());
    json.put("imageBytes", record.imageBytes());
    if (TransactionEnd.is(record)) {
      try {
        json.put("time", TransactionEnd.timeOf(record).toString());
      } catch (WalException e) {
        // The description tells.
      }
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
