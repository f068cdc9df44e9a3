-- Asks for objects of one size with real header sets, each request by chance. Arguments: size, how many
-- objects, how many header sets, and the file of header sets as lines for HTTP/1.1, separated by empty lines.
local lines, blocks = {}, {}

function init(arguments)
   local size, objects, sets, file = arguments[1], tonumber(arguments[2]), tonumber(arguments[3]), arguments[4]
   for number = 0, objects - 1 do
      lines[number + 1] = "GET /" .. size .. "/" .. number .. " HTTP/1.1\r\nHost: www.movie.test\r\n"
   end
   local text = io.open(file, "rb"):read("*a")
   for block in text:gmatch("(.-\r\n\r\n)") do
      if #blocks < sets then blocks[#blocks + 1] = block end
   end
   math.randomseed(1)
end

function request()
   return lines[math.random(#lines)] .. blocks[math.random(#blocks)]
end
