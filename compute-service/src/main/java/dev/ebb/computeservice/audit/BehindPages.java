package dev.ebb.computeservice.audit;

import dev.ebb.shared.model.Lsn;
import dev.ebb.shared.page.FileKey;
import java.io.IOException;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** Blocks with the LSN that each has to reach; the highest where several records name one. */
final class BehindPages {
  private final SortedMap<FileKey, Map<Integer, Long>> files = new TreeMap<>();
  private int size;

  /** Says something of a block. */
  @FunctionalInterface
  interface Test {
    boolean of(FileKey file, int block, long lsn) throws IOException;
  }

  void put(FileKey file, int block, long lsn) {
    // The WAL is read in order: a later record's LSN is higher.
    Long earlier = files.computeIfAbsent(file, f -> new HashMap<>()).put(block, lsn);
    if (earlier == null) {
      size++;
    }
  }

  /** Returns how many there were of which the test is true. */
  int removeIf(Test test) throws IOException {
    int before = size;
    Iterator<Map.Entry<FileKey, Map<Integer, Long>>> each = files.entrySet().iterator();
    while (each.hasNext()) {
      Map.Entry<FileKey, Map<Integer, Long>> file = each.next();
      Iterator<Map.Entry<Integer, Long>> blocks = file.getValue().entrySet().iterator();
      while (blocks.hasNext()) {
        Map.Entry<Integer, Long> block = blocks.next();
        if (test.of(file.getKey(), block.getKey(), block.getValue())) {
          blocks.remove();
          size--;
        }
      }
      if (file.getValue().isEmpty()) {
        each.remove();
      }
    }
    return before - size;
  }

  List<FileKey> files() {
    return List.copyOf(files.keySet());
  }

  boolean isEmpty() {
    return size == 0;
  }

  int size() {
    return size;
  }

  /** One of them in words. */
  String example() {
    Map.Entry<FileKey, Map<Integer, Long>> file = files.entrySet().iterator().next();
    Map.Entry<Integer, Long> block = file.getValue().entrySet().iterator().next();
    return "block "
        + block.getKey()
        + " of "
        + file.getKey()
        + " ("
        + new Lsn(block.getValue())
        + ")";
  }
}
