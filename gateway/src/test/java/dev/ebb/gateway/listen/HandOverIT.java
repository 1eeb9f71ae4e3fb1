package dev.ebb.gateway.listen;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

/** Two listening sockets on one port, with the real kernel. */
@EnabledOnOs(OS.LINUX)
final class HandOverIT {
  private static final int CONNECTIONS = 50;

  private final HandOver handOver = new HandOver();

  private static ServerSocketChannel listen(int port) throws IOException {
    ServerSocketChannel channel = ServerSocketChannel.open();
    channel.setOption(StandardSocketOptions.SO_REUSEPORT, true);
    return channel.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 200);
  }

  /**
   * Answers as a gateway does; probes of its own are closed unread where it is the one to leave.
   */
  private AtomicInteger serve(ServerSocketChannel listening, boolean isLeaving) {
    var accepted = new AtomicInteger();
    Thread.ofVirtual()
        .start(() -> {
          try {
            while (true) {
              try (SocketChannel client = listening.accept()) {
                if (!isLeaving || !handOver.isProbe(client.getRemoteAddress())) {
                  accepted.incrementAndGet();
                  client.write(ByteBuffer.wrap(new byte[] {'S'}));
                }
              }
            }
          } catch (ClosedChannelException e) {
            return;
          } catch (IOException e) {
            throw new IllegalStateException(e);
          }
        });
    return accepted;
  }

  private static int answered(int port) throws IOException {
    int answered = 0;
    for (int i = 0; i < CONNECTIONS; i++) {
      try (var client = new Socket(InetAddress.getLoopbackAddress(), port)) {
        client.setSoTimeout(10_000);
        answered += client.getInputStream().read() == 'S' ? 1 : 0;
      }
    }
    return answered;
  }

  @Test
  void allNewConnectionsGoToTheOtherSocketWhileThisOneIsStillOpen() throws Exception {
    try (ServerSocketChannel leaving = listen(0)) {
      int port = ((InetSocketAddress) leaving.getLocalAddress()).getPort();
      AtomicInteger mine = serve(leaving, true);
      assertThat(handOver.leave("127.0.0.1", port)).isFalse();
      assertThat(answered(port)).isEqualTo(CONNECTIONS);
      try (ServerSocketChannel staying = listen(port)) {
        AtomicInteger others = serve(staying, false);
        assertThat(handOver.leave("127.0.0.1", port)).isTrue();
        int before = mine.get();
        int probes = others.get();
        assertThat(answered(port)).isEqualTo(CONNECTIONS);
        assertThat(mine).hasValue(before);
        assertThat(others).hasValue(probes + CONNECTIONS);
      }
    }
  }

  /** The program outlives the socket of who attached it. */
  @Test
  void whoStaysAndWhoComesLaterShareThePort() throws Exception {
    try (ServerSocketChannel leaving = listen(0)) {
      int port = ((InetSocketAddress) leaving.getLocalAddress()).getPort();
      AtomicInteger mine = serve(leaving, true);
      try (ServerSocketChannel second = listen(port);
          ServerSocketChannel third = listen(port);
          ServerSocketChannel elsewhere = ServerSocketChannel.open()) {
        elsewhere.bind(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.2"), port));
        AtomicInteger seconds = serve(second, false);
        AtomicInteger thirds = serve(third, false);
        assertThat(handOver.leave("127.0.0.1", port)).isTrue();
        assertThat(handOver.isLeft("127.0.0.1", port)).isTrue();
        int before = mine.get();
        assertBothGrow(port, seconds, thirds);
        assertThat(mine).hasValue(before);
        stop(leaving);
        assertBothGrow(port, seconds, thirds);
        try (ServerSocketChannel fourth = listen(port)) {
          AtomicInteger fourths = serve(fourth, false);
          handOver.begin("127.0.0.1", port);
          assertBothGrow(port, seconds, fourths);
          assertBothGrow(port, thirds, fourths);
        }
      }
    }
  }

  private static void stop(Closeable listening) throws IOException {
    listening.close();
  }

  /** That none of so many goes to one of them by chance happens once in 10^11 runs at most. */
  private static void assertBothGrow(int port, AtomicInteger one, AtomicInteger other)
      throws IOException {
    int ones = one.get();
    int others = other.get();
    assertThat(answered(port) + answered(port)).isEqualTo(2 * CONNECTIONS);
    assertThat(one).hasValueGreaterThan(ones);
    assertThat(other).hasValueGreaterThan(others);
  }
}
