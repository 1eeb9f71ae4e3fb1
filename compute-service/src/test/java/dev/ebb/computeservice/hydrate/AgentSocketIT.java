package dev.ebb.computeservice.hydrate;

import static org.assertj.core.api.Assertions.assertThat;

import dev.ebb.computeservice.blockmap.DamagedBlocks;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.BitSet;
import java.util.HexFormat;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The protocol between shim and agent, byte by byte. */
final class AgentSocketIT {

  /** op 1, version 2, entry 5, incarnation 9, blocks 16 + 4, seq 77, pid 1234, 30000 ms. */
  private static final String HYDRATE =
      "01000200"
          + "05000000"
          + "09000000"
          + "10000000"
          + "04000000"
          + "4d000000"
          + "d2040000"
          + "30750000";

  private static final String WAIT_DURABLE =
      "02000200"
          + "00000000"
          + "00000000"
          + "00000000"
          + "00000000"
          + "4e000000"
          + "d2040000"
          + "30750000";

  @TempDir private Path directory = Path.of("");
  private Path path = Path.of("");
  private final List<String> calls = new CopyOnWriteArrayList<>();
  private volatile boolean refuse;
  private volatile boolean damaged;
  private final CountDownLatch never = new CountDownLatch(1);
  private final CountDownLatch interrupted = new CountDownLatch(1);
  private volatile boolean hang;
  private AgentSocket[] socket = {};

  @BeforeEach
  void listen() throws IOException {
    path = directory.resolve("s");
    socket =
        new AgentSocket[] {
          AgentSocket.open(
              path,
              null,
              new HydrationHandler() {
                @Override
                public void hydrate(
                    int entry, int incarnation, int firstBlock, int count, int process)
                    throws IOException {
                  calls.add(entry + " " + incarnation + " " + firstBlock + " " + count);
                  if (damaged) {
                    var which = new BitSet();
                    which.set(2);
                    throw new DamagedBlocks("bad", firstBlock, new byte[0], which);
                  }
                  if (refuse) {
                    throw new IOException("refused");
                  }
                }

                @Override
                public void hint(int entry, int incarnation, int firstBlock, int count) {
                  calls.add("soon " + entry + " " + incarnation + " " + firstBlock + " " + count);
                }

                @Override
                public void waitDurable(long timeoutMs) throws InterruptedException {
                  calls.add("durable within " + timeoutMs);
                  if (hang) {
                    try {
                      never.await();
                    } catch (InterruptedException e) {
                      interrupted.countDown();
                      throw e;
                    }
                  }
                }
              })
        };
  }

  @AfterEach
  void close() throws IOException {
    socket[0].close();
  }

  private SocketChannel connect() throws IOException {
    return SocketChannel.open(UnixDomainSocketAddress.of(path));
  }

  private static String exchange(SocketChannel channel, String request) throws IOException {
    ByteBuffer bytes = ByteBuffer.wrap(HexFormat.of().parseHex(request));
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
    ByteBuffer reply = ByteBuffer.allocate(AgentSocket.REPLY_BYTES);
    while (reply.hasRemaining()) {
      if (channel.read(reply) < 0) {
        return "closed";
      }
    }
    return HexFormat.of().formatHex(reply.array());
  }

  @Test
  void requestsOfOneConnectionAreAnsweredInTheirOrderWithTheirNumber() throws IOException {
    try (SocketChannel channel = connect()) {
      assertThat(exchange(channel, HYDRATE)).isEqualTo("000002004d0000000000000000000000");
      assertThat(exchange(channel, WAIT_DURABLE)).isEqualTo("000002004e0000000000000000000000");
    }
    assertThat(calls).containsExactly("5 9 16 4", "durable within 30000");
  }

  @Test
  void aHintIsPassedOnAndNotAnswered() throws IOException {
    try (SocketChannel channel = connect()) {
      String hint = HYDRATE.replaceFirst("^0100", "0300");
      assertThat(exchange(channel, hint + HYDRATE)).startsWith("000002004d");
    }
    assertThat(calls).containsExactly("soon 5 9 16 4", "5 9 16 4");
  }

  @Test
  void aDamagedBlockIsNamed() throws IOException {
    damaged = true;
    try (SocketChannel channel = connect()) {
      assertThat(exchange(channel, HYDRATE)).isEqualTo("030002004d0000001200000000000000");
    }
  }

  @Test
  void aRefusalIsAnsweredAsAFailureAndTheConnectionStays() throws IOException {
    try (SocketChannel channel = connect()) {
      refuse = true;
      assertThat(exchange(channel, HYDRATE)).isEqualTo("010002004d0000000000000000000000");
      refuse = false;
      assertThat(exchange(channel, HYDRATE)).startsWith("0000");
    }
  }

  @Test
  void anotherVersionIsNotAnswered() throws IOException {
    try (SocketChannel channel = connect()) {
      assertThat(exchange(channel, HYDRATE.replaceFirst("01000200", "01000100")))
          .isEqualTo("closed");
    }
    assertThat(calls).isEmpty();
  }

  @Test
  void onlyTheOwnerMayConnect() throws IOException {
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(path)))
        .isEqualTo("rw-------");
  }

  @Test
  void closingEndsConnectionsAndInterruptsRequests() throws Exception {
    hang = true;
    try (SocketChannel channel = connect()) {
      ByteBuffer request = ByteBuffer.wrap(HexFormat.of().parseHex(WAIT_DURABLE));
      channel.write(request);
      long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
      while (calls.isEmpty() && System.nanoTime() < deadline) {
        Thread.onSpinWait();
      }
      socket[0].close();
      assertThat(interrupted.await(10, TimeUnit.SECONDS)).isTrue();
      ByteBuffer nothing = ByteBuffer.allocate(64);
      assertThat(channel.read(nothing)).isNegative();
    }
    assertThat(path).doesNotExist();
  }
}
