// Client of hixie-76, hybi-07, hybi-08 and hybi-13: Debian's Netty 4.1.48.
// Conversations, output and exit codes are those of conversation.js.
//
// In hixie-76 its request carries `Content-Length: 8`, and a frame that does
// not come in one read is lost (it forgets that it has read the first octet),
// hence --up-to, and reads of 64 KiB. It has no codes there, and no binary.

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpClientCodec;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.websocketx.BinaryWebSocketFrame;
import io.netty.handler.codec.http.websocketx.CloseWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PingWebSocketFrame;
import io.netty.handler.codec.http.websocketx.PongWebSocketFrame;
import io.netty.handler.codec.http.websocketx.TextWebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshaker;
import io.netty.handler.codec.http.websocketx.WebSocketClientHandshakerFactory;
import io.netty.handler.codec.http.websocketx.WebSocketFrame;
import io.netty.handler.codec.http.websocketx.WebSocketFrameAggregator;
import io.netty.handler.codec.http.websocketx.WebSocketVersion;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

public class NettyClient {
    static final Map<String, WebSocketVersion> VERSIONS = Map.of(
        "hixie-76", WebSocketVersion.V00, "hybi-07", WebSocketVersion.V07,
        "hybi-08", WebSocketVersion.V08, "hybi-13", WebSocketVersion.V13);
    static final String[] TEXTS = {
        "Hello", "", "Grüße ✓ 𝄞", "a".repeat(200), "b".repeat(70_000),
    };
    static final PrintStream OUT =
        new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);

    // Frames, exceptions, what these say, and at last END.
    static final BlockingQueue<Object> INBOX = new LinkedBlockingQueue<>();
    static final Object OPEN = new Object();
    static final Object BYE = new Object();
    static final Object END = new Object();

    static URI url;
    static String draft = "hybi-13";
    static String subprotocol;
    static String say;
    static final List<String> expected = new ArrayList<>();
    static boolean binary;
    static boolean ping;
    static int upTo = Integer.MAX_VALUE;
    static String[] atOnce = {"one", "two", "three"};
    static Channel channel;

    public static void main(String[] args) throws Exception {
        parse(args);
        boolean bus = say != null;
        WebSocketClientHandshaker opening = WebSocketClientHandshakerFactory.newHandshaker(
            url, VERSIONS.get(draft), subprotocol, false, new DefaultHttpHeaders(), 1 << 20);
        NioEventLoopGroup group = new NioEventLoopGroup(1);
        channel = new Bootstrap().group(group).channel(NioSocketChannel.class)
            .option(ChannelOption.RCVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(64 << 10))
            .handler(new ChannelInitializer<Channel>() {
                @Override protected void initChannel(Channel made) {
                    made.pipeline().addLast(new HttpClientCodec(), new HttpObjectAggregator(8192),
                        new WebSocketFrameAggregator(1 << 20), new Receiver(opening));
                }
            }).connect(url.getHost(), url.getPort()).sync().channel();
        if (next(bus ? 60 : 10) != OPEN) fail("a frame came before the answer");
        String agreed = opening.actualSubprotocol();
        print("open", "draft", draft, "subprotocol", agreed);
        if (agreed == null ? subprotocol != null : !agreed.equals(subprotocol)) {
            fail("subprotocol " + agreed + ", asked for " + subprotocol);
        }
        if (bus) sayAndExpect();
        else echoes();

        channel.writeAndFlush(coded() ? new CloseWebSocketFrame(1000, "") : new CloseWebSocketFrame());
        Object answer = next(10);
        if (!(answer instanceof CloseWebSocketFrame)) fail("not the answer to a close: " + answer);
        ended("close", (CloseWebSocketFrame) answer);
    }

    static boolean coded() {
        return VERSIONS.get(draft) != WebSocketVersion.V00;
    }

    static void ended(String event, CloseWebSocketFrame close) throws Exception {
        int code = close.statusCode();
        while (next(10) != END) { }
        OUT.println("{\"event\":\"" + event + "\",\"code\":" + (coded() ? code : "null") + "}");
        System.exit(0);
    }

    static void echoes() throws Exception {
        for (String text : TEXTS) {
            if (text.getBytes(StandardCharsets.UTF_8).length > upTo) continue;
            channel.writeAndFlush(new TextWebSocketFrame(text));
            echo(text);
        }
        if (binary) {
            byte[] octets = new byte[256];
            for (int i = 0; i < octets.length; i++) octets[i] = (byte) i;
            channel.writeAndFlush(new BinaryWebSocketFrame(Unpooled.wrappedBuffer(octets)));
            byte[] echo = octets(expect(BinaryWebSocketFrame.class));
            OUT.println("{\"event\":\"binary\"," + lengthAndSha1(echo) + "}");
        }
        if (ping) {
            channel.writeAndFlush(new PingWebSocketFrame(Unpooled.copiedBuffer("still there?", StandardCharsets.UTF_8)));
            byte[] pong = octets(expect(PongWebSocketFrame.class));
            print("pong", "text", new String(pong, StandardCharsets.UTF_8));
        }
        for (String text : atOnce) channel.write(new TextWebSocketFrame(text));
        channel.flush();
        for (String text : atOnce) echo(text);
    }

    static void sayAndExpect() throws Exception {
        new Thread(NettyClient::sayOnGo).start();
        for (Object got = next(60); got != BYE; got = next(60)) {
            if (got instanceof CloseWebSocketFrame) {
                channel.writeAndFlush(((CloseWebSocketFrame) got).retain());
                ended("left", (CloseWebSocketFrame) got);
            }
            if (pinged(got)) continue;
            if (!(got instanceof TextWebSocketFrame)) fail("not a text: " + got);
            String text = ((TextWebSocketFrame) got).text();
            if (expected.contains(text)) print("message", "text", text);
        }
    }

    static void sayOnGo() {
        try {
            BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
            String line = lines.readLine();
            for (; line != null && !line.equals("bye"); line = lines.readLine()) {
                if (line.equals("go")) channel.writeAndFlush(new TextWebSocketFrame(say));
            }
            INBOX.add(line != null ? BYE : new Exception("stdin ended before \"bye\""));
        } catch (Exception error) {
            INBOX.add(error);
        }
    }

    static void echo(String sent) throws Exception {
        String text = ((TextWebSocketFrame) expect(TextWebSocketFrame.class)).text();
        if (!text.equals(sent)) fail("the echo differs from what was sent");
        byte[] octets = text.getBytes(StandardCharsets.UTF_8);
        if (text.length() <= 100) print("message", "text", text);
        else OUT.println("{\"event\":\"message\"," + lengthAndSha1(octets) + "}");
    }

    static WebSocketFrame expect(Class<? extends WebSocketFrame> kind) throws Exception {
        while (true) {
            Object got = next(10);
            if (kind.isInstance(got)) return (WebSocketFrame) got;
            if (!pinged(got)) fail("not a " + kind.getSimpleName() + ": " + got);
        }
    }

    static boolean pinged(Object got) {
        if (!(got instanceof PingWebSocketFrame)) return false;
        channel.writeAndFlush(new PongWebSocketFrame(((WebSocketFrame) got).content()));
        print("ping");
        return true;
    }

    static Object next(int seconds) throws Exception {
        Object got = INBOX.poll(seconds, TimeUnit.SECONDS);
        if (got == null) {
            print("error", "reason", "nothing happened for " + seconds + " s");
            System.exit(3);
        }
        if (got instanceof Throwable) fail(got.toString());
        return got;
    }

    static class Receiver extends SimpleChannelInboundHandler<Object> {
        final WebSocketClientHandshaker opening;

        Receiver(WebSocketClientHandshaker opening) {
            super(false);
            this.opening = opening;
        }

        @Override public void channelActive(ChannelHandlerContext context) {
            opening.handshake(context.channel());
        }

        @Override protected void channelRead0(ChannelHandlerContext context, Object message) {
            if (message instanceof FullHttpResponse) {
                opening.finishHandshake(context.channel(), (FullHttpResponse) message);
                INBOX.add(OPEN);
            } else {
                INBOX.add(message);
            }
        }

        @Override public void channelInactive(ChannelHandlerContext context) {
            INBOX.add(END);
        }

        @Override public void exceptionCaught(ChannelHandlerContext context, Throwable error) {
            INBOX.add(error);
        }
    }

    static void parse(String[] args) {
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--binary": binary = true; break;
                case "--ping": ping = true; break;
                case "--draft": draft = args[++i]; break;
                case "--subprotocol": subprotocol = args[++i]; break;
                case "--say": say = args[++i]; break;
                case "--expect": expected.add(args[++i]); break;
                case "--up-to": upTo = Integer.parseInt(args[++i]); break;
                case "--at-once":
                    atOnce = new String[Integer.parseInt(args[++i])];
                    for (int at = 0; at < atOnce.length; at++) atOnce[at] = String.valueOf(at + 1);
                    break;
                default: url = URI.create(args[i]);
            }
        }
        if (url == null || !"ws".equals(url.getScheme()) || !VERSIONS.containsKey(draft)) {
            System.err.println("usage: NettyClient ws://HOST:PORT/PATH [--draft DRAFT] [--subprotocol NAME]"
                + " [--binary] [--ping] [--up-to OCTETS] [--at-once COUNT] [--say TEXT] [--expect TEXT]...");
            System.exit(2);
        }
    }

    static byte[] octets(WebSocketFrame frame) {
        ByteBuf content = frame.content();
        return ByteBufUtil.getBytes(content);
    }

    static String lengthAndSha1(byte[] octets) throws Exception {
        byte[] sum = MessageDigest.getInstance("SHA-1").digest(octets);
        return "\"length\":" + octets.length + ",\"sha1\":\"" + ByteBufUtil.hexDump(sum) + "\"";
    }

    static void fail(String reason) {
        print("error", "reason", reason);
        System.exit(1);
    }

    static void print(String event, String... fields) {
        StringBuilder line = new StringBuilder("{\"event\":" + quoted(event));
        for (int i = 0; i < fields.length; i += 2) {
            line.append(',').append(quoted(fields[i])).append(':').append(quoted(fields[i + 1]));
        }
        OUT.println(line.append('}'));
    }

    static String quoted(String text) {
        if (text == null) return "null";
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("\\p{Cntrl}", " ") + '"';
    }
}
