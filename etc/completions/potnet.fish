# fish(1) completion for potnet(8): the program itself says what may come next.
function __potnet_complete
    set -l line (commandline -cp)
    set -l word (commandline -ct)
    # What comes before a value in the same word.
    set -l before (string match --regex -- '^--[^=]*=' "$word")
    for answer in (env _POTNET_COMPLETE=fish_complete COMP_WORDS="$line" COMP_CWORD="$word" potnet 2>/dev/null)
        set -l parts (string split --max 1 , -- $answer)
        switch $parts[1]
            case plain
                echo -- "$before$parts[2]"
            case dir
                __fish_complete_directories "$word"
            case file
                __fish_complete_path "$word"
        end
    end
end

complete --command potnet --no-files --arguments '(__potnet_complete)'
