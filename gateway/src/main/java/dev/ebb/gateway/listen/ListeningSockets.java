package dev.ebb.gateway.listen;

import java.io.IOException;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/**
 * The sockets of this machine that listen where one of this process' does, of whatever process, as
 * {@code proc(5)} tells them in {@code /proc/net/tcp}. The same port at another address is another
 * group, and so is the same address of the other family ({@code inet_reuseport_add_sock} in Linux's
 * {@code net/ipv4/inet_hashtables.c}).
 */
final class ListeningSockets {
  private static final String LISTEN = "0A";
  private static final String SOCKET = "socket:[";
  private static final int LOCAL_ADDRESS = 1;
  private static final int STATE = 3;
  private static final int INODE = 9;

  private final int own;
  private final int count;

  private ListeningSockets(int own, int count) {
    this.own = own;
    this.count = count;
  }

  /** Those that share a port with a socket of this process; empty where it has none. */
  static Optional<ListeningSockets> withOwn(String host, int port) throws IOException {
    Set<String> wanted = written(InetAddress.getAllByName(host), port);
    var addresses = new HashMap<String, String>();
    for (String file : List.of("/proc/net/tcp", "/proc/net/tcp6")) {
      Path path = Path.of(file);
      if (Files.exists(path)) {
        List<String> lines = Files.readAllLines(path, StandardCharsets.US_ASCII);
        listening(lines, wanted).forEach((inode, address) -> addresses.put(inode, file + address));
      }
    }
    if (addresses.isEmpty()) {
      return Optional.empty();
    }
    try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path descriptor : descriptors) {
        String target = target(descriptor);
        String address = addresses.get(inode(target));
        if (address != null) {
          int count = (int) addresses.values().stream().filter(address::equals).count();
          int number = Integer.parseInt(descriptor.getFileName().toString());
          return Optional.of(new ListeningSockets(number, count));
        }
      }
    }
    return Optional.empty();
  }

  /** Of the listening sockets among a table's lines: their inodes, and where they are bound. */
  static Map<String, String> listening(List<String> lines, Set<String> wanted) {
    var found = new HashMap<String, String>();
    for (String line : lines) {
      String[] columns = line.strip().split("\\s+", -1);
      if (columns.length > INODE
          && columns[STATE].equals(LISTEN)
          && wanted.contains(columns[LOCAL_ADDRESS])) {
        found.put(columns[INODE], columns[LOCAL_ADDRESS]);
      }
    }
    return found;
  }

  /** As the tables write addresses, IPv4's also as sockets of both families have them. */
  static Set<String> written(InetAddress[] addresses, int port) {
    String end = String.format(Locale.ROOT, ":%04X", port);
    var written = new HashSet<String>();
    for (InetAddress address : addresses) {
      if (address.isAnyLocalAddress()) {
        written.add("0".repeat(8) + end);
        written.add("0".repeat(32) + end);
      } else {
        String own = words(address.getAddress());
        written.add(own + end);
        if (address instanceof Inet4Address) {
          written.add("0".repeat(16) + words(new byte[] {0, 0, -1, -1}) + own + end);
        }
      }
    }
    return written;
  }

  /** Words of four bytes, each as a number of this machine's. */
  private static String words(byte[] address) {
    ByteBuffer words = ByteBuffer.wrap(address).order(ByteOrder.nativeOrder());
    var text = new StringBuilder();
    while (words.hasRemaining()) {
      text.append(String.format(Locale.ROOT, "%08X", words.getInt()));
    }
    return text.toString();
  }

  /** How many they are, this process' own included. */
  int count() {
    return count;
  }

  /** The file descriptor of this process' own. */
  int own() {
    return own;
  }

  private static String inode(String target) {
    return target.startsWith(SOCKET) ? target.substring(SOCKET.length(), target.length() - 1) : "";
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
