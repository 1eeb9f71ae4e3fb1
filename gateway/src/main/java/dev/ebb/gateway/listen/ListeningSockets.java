package dev.ebb.gateway.listen;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;

/**
 * The sockets of this machine that listen on a port, of whatever process, as {@code proc(5)} tells
 * them in {@code /proc/net/tcp}.
 */
final class ListeningSockets {
  private static final String LISTEN = "0A";
  private static final int LOCAL_ADDRESS = 1;
  private static final int STATE = 3;
  private static final int INODE = 9;

  private final Set<String> inodes;

  private ListeningSockets(Set<String> inodes) {
    this.inodes = inodes;
  }

  static ListeningSockets on(int port) throws IOException {
    var inodes = new HashSet<String>();
    for (String file : List.of("/proc/net/tcp", "/proc/net/tcp6")) {
      Path path = Path.of(file);
      if (Files.exists(path)) {
        inodes.addAll(inodes(Files.readAllLines(path, StandardCharsets.US_ASCII), port));
      }
    }
    return new ListeningSockets(inodes);
  }

  /** Of the listening sockets among a table's lines. */
  static List<String> inodes(List<String> lines, int port) {
    String end = String.format(Locale.ROOT, ":%04X", port);
    var found = new ArrayList<String>();
    for (String line : lines) {
      String[] columns = line.strip().split("\\s+", -1);
      if (columns.length > INODE
          && columns[STATE].equals(LISTEN)
          && columns[LOCAL_ADDRESS].endsWith(end)) {
        found.add(columns[INODE]);
      }
    }
    return found;
  }

  int count() {
    return inodes.size();
  }

  /** The file descriptor of one that is this process' own. */
  Optional<Integer> own() throws IOException {
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path descriptor : descriptors) {
        String target = target(descriptor);
        if (target.startsWith("socket:[")
            && inodes.contains(target.substring("socket:[".length(), target.length() - 1))) {
          return Optional.of(Integer.parseInt(descriptor.getFileName().toString()));
        }
      }
    }
    return Optional.empty();
  }

  /** Empty where it was closed meanwhile. */
  private static String target(Path descriptor) {
    try {
      return Files.readSymbolicLink(descriptor).toString();
    } catch (IOException e) {
      return "";
    }
  }
}
