"""How long tokens last that a key signs, so that its end suits all workers.

Release 0.2.0 works beside it: it knows no key ring.
"""

from tortoise import BaseDBAsyncClient

RUN_IN_TRANSACTION = True


def _unless(there: str, change: str) -> list[str]:
    """Run ``change`` unless the column is there (1) or gone (0) already.

    MySQL commits each statement by itself, so a migration that broke off is begun again.
    """
    found = (
        "(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE()"
        " AND table_name = 'signing_keys' AND column_name = 'token_seconds')"
    )
    return [
        f"SET @arcana = IF({found} = {there}, 'DO 0', '{change}')",
        "PREPARE arcana FROM @arcana",
        "EXECUTE arcana",
        "DEALLOCATE PREPARE arcana",
    ]


UPGRADE = {
    "sqlite": ['ALTER TABLE "signing_keys" ADD COLUMN "token_seconds" INT'],
    "postgres": ['ALTER TABLE "signing_keys" ADD COLUMN "token_seconds" INT'],
    "mysql": _unless("1", "ALTER TABLE signing_keys ADD COLUMN token_seconds INT"),
}

DOWNGRADE = {
    "sqlite": ['ALTER TABLE "signing_keys" DROP COLUMN "token_seconds"'],
    "postgres": ['ALTER TABLE "signing_keys" DROP COLUMN "token_seconds"'],
    "mysql": _unless("0", "ALTER TABLE signing_keys DROP COLUMN token_seconds"),
}


async def upgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(UPGRADE[db.capabilities.dialect])


async def downgrade(db: BaseDBAsyncClient) -> str:
    return ";\n".join(DOWNGRADE[db.capabilities.dialect])


MODELS_STATE = (
    "eJztXVtz2ziy/isovUxSpXH5lss4p06VbCsTbRw7FTuTnV1tSRAJSTyiAA0JWlHN5r+fbo"
    "B3UjRpSbak8CWxSDQANkCwv77+3aCOQTk9+CJs1jgjfzc4neIfietN+DmbRVfxgqQDRdFw"
    "oIWrmgxc6VBDwsUhtV0Gl0zmGo41k5bg2LRFsHeTuEwSMSQz5kwt14Wb7jsix4wMPMuWv1"
    "qcCM5cQh1GptRkhEp1d2g5riSupI48wPFMYcCAFh+tv2uPW395rCfFiMFtBwb493/gssVN"
    "9h0e1v85m/SGFrPNBN8sEztQ13tyMVPXvn7tXL5XLXHag54hbG/Ko9azhRwLHjb3PMs8QB"
    "q8N2KcOVQyM8ZW7tm2z/7gkp4xXJCOx8KpmtEFkw2pZ+PiNP5n6HED1wS45dxbBjswhMMO"
    "LNM94Gzes8z/9ecZo+n1rm/uerftu16vkVlYnE9qQfxLBiwAbAqLS+Ta3z90vxF31NUGDn"
    "DxofXlxcnrl4ofwpUjR91UvGv8UIRUUk2qViBiufo/w/SLMXXymR60T7EdJroZhgfs2QBD"
    "G1P6vWczPpJj+PnqsIDBf7S+KB6/OlQ8FvCq6hf42r9zrG4hqyPWxqdVgcMpskcx2mdjyO"
    "egScTo6JR5ck4fv3pVgtXQaimv1b0ksw2HITt6VGZ5fQl3pDVl+fxOUqbYbfqkB8Efj9nl"
    "Zbi/7GAxbGFMDjxp9LiYP8fZctf51L69a336jN1PXfcvW7G0ddfGO8fq6iJ19cXr1NKFnZ"
    "BvnbsPBH+Sf91ct9MHVtju7l8NnBP1pMAH71EzzrbgcnApsRO8mfnInZCkrHfCLu4ElC2G"
    "k9inDi8MqDGZU8fsZe6IY7GsbfbW9Hia+w31YJ3c7Gb7RPniTuC/art1gM+UG3lfT19e/A"
    "r97NxX9EfwFgVXo/GnwmR2LyUUBw/pMFu9bMHtUBQeCkfxf8IWAXN7WtQLl8a/hST+LTl2"
    "hDcahwRhb8BlmAST+qPbur1oXaq91oszGeerds4UZjhSl/Bh1b6LzTpHxA+eZrmIH26OMi"
    "I+iN4uvPfCAQnbGFuckbklx4RyQg1DeDxXeH+YqMu7vN9nU2rZ/T6xXJDW4UQxCYj0lnRR"
    "rCdcOFNqE2D+lLzo99WJI9l3eaBv9Hzil9CtSfTOI4OFZEjR5fjXAen3XQYcGOsxFDYQtg"
    "njINMUIby88H672FSKCeM9NhOqvWO5AC3mY1iUe+bgxKEZUW3cLh9Z9wwe0JNkwGA8wB8e"
    "QA4uiC34CJoPGJEUmh6Qb/Dk2K7fn1HXnQvYLGPq4ghcDIS5ILA+QDWCRz9AnsBgCHTCGQ"
    "BHcN5weUG+fsZTDBERU7+NMYXR8Dc2ccS8qbinthpyH3/MHDG0bFhbeNouBy7gxfYdHeEj"
    "AzuZw4GZlqlZRLlAiETchSvZ9BdXMwqeUI2g1/UddEE0V2xG75lbEmT93YiOKpAaqfTULo"
    "TXBRuy7zNcCMR4AW0Iwr731J7taaLgBfOPqoYiho2sfqgPb3ycBTd6jxssoiwesQaP2wMe"
    "1aFQBduEBHsHHzcCahJnWBU+Zwj3D0W+OjouA9iPjpcjdryXZPjzakO2ir8b2dBaPshy+A"
    "4O+HwORxR7weMieNX+510CWQWcfPGp9c+XCXR1dXP9e9A8xvmLq5vzNMPDb3F2S7e5N80g"
    "kyTzQ+qnY34DRGQQ9yp+CButi7vOH+0zoqm7vHMdXLF4cO326+3n9vVl+/KMuJ47YzALMy"
    "1Pl3k1jl6XeDOO0sg3ejHwVmqZknLTo9Yq2cUTLhiOzMyqC3b75/WFWglF3eW4Mp3r388I"
    "rgusRZe/b3WusMUQZIZtWSglwPRAGLegyxyB81wAGqC8QPpJEKdWaQDUm1qm8MrTnmrnNz"
    "dXiVPtvJM+tr5+Om/DMqhVgEaWxuqd67sU72OIMcv4Dl/yAUlRpTiO+ooNMfxwU5/pEc7g"
    "1+Oj0zenb09en76FJmqW4ZU3BeuRZWutOf+Z9aW15rzeCdmd4KvFKhyzMYqnO2KPduSIjS"
    "n+KmlLkmRrwfD7qDKpYPOJQ1FfI5mV4XzK9x+/oI0if1f7+v9b3cvuItGM3SaxcenMQmPL"
    "ikxqzayPbLGvPDJsi3HZcxmIQ3JFTl2ovm5VV/vKL+GYuebSKny6wT52T4NZij9cSMCHhu"
    "LAimy6jnW1T9upkuU+pk7XxrnlPL3h7E7APw9zFu2+n6Pu9mQbFjk5RPb51ZwcAqfYnbL1"
    "VHVyCB4y7eQQeYoknRxingxpJ4eY/8NqTg6Rf0yhl0Owq5c4O8Q2fbHPQ89/20r6PnwbU0"
    "koQUoimW27hA7QkC/HbOoy+56575SfgiPmfrMmGYnA18HKcYxYS4+1M/Mu2aPpPdxxep5T"
    "ySidpNpDS+lhOdfmIt/mjHPzwBJVeOw33z/mHh2W4i42W25mOMzydwZ8qmSKDgn2j8fHZT"
    "h8vJy/xxnu1jrvWtNZ67zrnZDYCZGgXVZoi5E8reT2PB4qD0hmK7neJ9chuwgBNP9JXekd"
    "Og8hRnzb5SK/H5XiGAoRYaDfzkGDMdX3ciQY17I/DAJhfdE5W4eaKnBmMjzSmmToiCmZjy"
    "1jTBw2hH039p3DCXbBuJnFf6t0hg7zHX5PHYtyeYaRrlPY7xouxinQidvwHIdx2VQ+28qV"
    "3psOGLrXoxu9xyVz+v13vnc4Mxl6tqPP/JQu0HHdYTObLjD6diwcaS8IHQIF0DpC+t8XJN"
    "cu6OhO76hBYJbaxd7nsPK+pza0BRDL3C6H7SMIo4Y/0yZxReC3TqiNXUzphLmEB5DXx8bB"
    "Z+QXl0zYoomBAeoy/Aiadbnf0QFpBeNr1NzvK6cqNefAad26x6DhEVUe9+hzDzuN430MCI"
    "BfOiQAfztMjWRQ22YOjA9sDxZQz8GmsAj+AuAD42/0H/cHtOCx8X2BJwZEP7W4p6MSDGQ7"
    "l1bM816No5TtRCvu0ct+Tl1YkZGnH+YdcT3gHg2fcEyhfy6SO+Ax3viJ+ZTwkA9eol6SsF"
    "nWKz84LyqMFNc6lRoD+rWgY5SGKgwTo1o+Uq1h2R4NCx4xOfpzi1NnscSB16dIu7otpFYN"
    "7qZNItfVDd1v48IuANDzznXry5/5HrxB+/gSnP95126lwar+iGTZvtQZI0ZR+7ulnTGi72"
    "pVxJekrBHfriO+5Nenyk5IUj7XTnimOIWdW2ZfJK28yDG6NSzxlqlY92+F5+NFFYV5gmj/"
    "lOYnZcLjTpZHx51kguNqpXn9vtVK83onJBxEUZdT5dQNCfbvxN1IxKyvHqvE4ohk/5h8Wo"
    "bHp8tZfJrhcFyJWPU4S9PWYuI2H1YZ9WlZ1WGGcAUt4u6s74Nqwm20ne4sOzPW04csou9B"
    "YrFG/CPbdHqx7WDpmq2i68wEV2hBvVBZoxo5BlT/TrPIfqpzTlUwn84dS/oGMO3SGqaoas"
    "YTVAX5qgJLTL759LGdpcynlkSTm8WhC6mzjqH5DR6Gu1RL4X5OLT0eNNf+umIYWC0dhj1o"
    "g6LgrMvjBkuVQwvtfP4O6PfJTODuwZljhi14orPQ9glU2iSJM0aKA9IxXZX+y59Zl6sQFZ"
    "yUnrOLVlCVGtkQ06mFv2Fa87FQ8wFs65tihwyezhZi4hLcO8A125LSZo+xEZayo/m7Y43m"
    "s3NrtNSqkHtY5xgU/Jdza90sfIPCb8fHJydvjg9PXr99dfrmzau3h6FlIXuryMRw3vkdrQ"
    "wJsSYwOyy3pNWfzLVKIBOYfRWQFLTfi6xCm9b8VQdGtX5ndyHTSn586xOcOiabzoRk3Fh8"
    "VKFQGQEq1aJQkLKitmFEc5mMrEp1jRuJuhP4umNuTo+jdEC1exQ6MaEkAbLMXAknBosEFh"
    "BV8hK2rtxnSr4KRBt0RlMCCkpZyh9rjjFQOfKU8uYCeYZGc5HYVKdaIuieZjjUHaO05pKh"
    "w5jvwUWutTylpB7kbSC6aaetZtS59tjC+ajHQW+yGcxVeaSho5Z6VugfMxSi8KYfNvLOit"
    "zQ7i02B1aRf9zeXOsB3CBNqvaKM4VwHiNjVfJZSm+gFX2XoIvKWR3jNHuXQPP1aYmv1uvT"
    "pV8tvFUscYkZ8qZiNYYE0R4KC+tie9xdSb3ylXd3mq5mdglm61Mzy+blCTUjin0wDhTJWp"
    "vIp7nrNvDaUlB7hv3cy7wl6ObWGnFg8xJkE7tbiGpc3a4CokG1ri/8K9iAsrwS/bErVGzC"
    "fwoBAICwbfUzWY0hX1O8WpcKzwDgsa0hOyMzb2BbCnu86PdVHz2M2NHQANn4UveJ47yIgR"
    "kFmeyRcAD5TDX+0UEjkrkSA0/ifb3EZA9Cgy+VkXWB3XlcWraq1BC8xf1+0w8VwrIZAtiK"
    "iuEh4hGlxNZxQ2gHxqgYjbb0A5+FRS5cBu+Q6WJXSKNDiaALYMZcOBPmqIIY6rEN/ZT4KP"
    "/49jFCPfjYXY6TpcRdTKcMuG8oLKirbgBqi6DTzLHu4aHJjDqySQCxOIsZQsIYyCTwl3WP"
    "4BNjoRCUdbkfCKOeAoOTQPTF+iBn/hQGCx+XYSuAZZYJaBCmRaYMZApNpiEfH1ojz1EFBV"
    "WP87FwWZdbpjYDwIwnQRwOPCizhwFqXDXlxqRafr3JCnn1fm4oFb5mVdidINpD6X792ab1"
    "kVBFuo8oaun+Edny1UFahd8RRc3vnw9N1XaGVSTxxJsXimZVd0KSsnbA2+ZVTojD2YV+II"
    "d/jO5RUY1btrDrTzK9NTqLLeP0rr9CW6Ky8NM456grogTPy1UV8VTSZQyvQb4JH31Tvxzi"
    "L8rrbOTQqas1CRbXWBzQp27RVGQKZroGYFjA3XlG2LX2jwqMG24v4JpfbtI3eGq9RJPcfm"
    "j9evzqdejoNha2QryR8TbIxqFwMPZjcRlC+i4fsJHFeahaUWU75/ASkgnsFMTRgM8PYlNS"
    "2TRwmVylBgAwDvjdnVEDLrz48v6CvH5z+hvpeoeH9M3JwcnLx9hPy+eVCBa/RF6JOtvD9m"
    "R7qMvhxfM8lkH3xVke0/h+bFULngra7yF/1++0VtX+XNudK9id9WemCnsjij1k8EaKkdYC"
    "/b4K9HX44c+40rW2s94JdexHHS75JCzd2XDJeAWsvKDJVIWsgtDJTF2uct4x6Jnh53uVc+"
    "H7MLhJXZF//qEbC6bawzSlyrMhrVk5PTh9me8ws/ZRHqeC0uPmaKH0jYQiSqd9TSmiZkzM"
    "oB8MMPCVUBtVJCUXtVYnbd253CxQJ9XqjlrdsZvqjhqK/wxieQ3Ff5aVrqF4vRNqKF5D8S"
    "dh6a5C8StGXdbIweD6RrMIfNvYpLSvh+nJhYaTWIxk5ggVHKLKd+IpijHiGE0xVuVPAIvC"
    "bwSbQbSG+h+jKzxuI6ED22TOckrCbHSkFeIWntfO/lNFLuiVrXLcRxT1aZ9O+4evQ1UJKi"
    "SqgyO3TjLaEk/DS4Yp2pxcX8PwXuH3x9StrNLfII65RLiMvg2uxSfq+F9gTJzAUl0SToIm"
    "xjHqRHQYzZjzjVmlp5xvyL8bSO8vsKXm+58iXWrQ2sVaJWp20GGpDCcRz3pAU6BTTZV+Ck"
    "a0qV+ANpxnlSED6jqL3S5lsQvWvrQXULCXa63jw1rH8EWqtMHjVE9X/WlPdnpcGVit/nZ4"
    "+u3fzj4pE9h6sjyw9SQT2Bp+nLLcbXNvmlELJM+QgHibWd341urcda5/PyNzCq8jH3X5ef"
    "tD5/ryDL7/Yxiryy/bLfhlMmqmhYjniTamUrLpTFYJzIqT1JXm0keIL3ll2FmMjyKqWru8"
    "ixgqYTd0HJGjbCgoShUQ7EM4+ROUR6krEf3Mr9qWqCtuAdR8xqBBrLqTm80pdr9ZnM+JT0"
    "pqLD6IOcFkRDTSLwwY40q1cKZyC3kz1Db0+wEg6PfJwJM6JyyKVqafjCcC4XmRkhsaR5cC"
    "x3yznqPiFZWLGwY7Cp2In6I/2rtQ8w6NUIrq+Rp4nYoIJ2S5xGZDqWua14r4LQOzyzUHNb"
    "h9RnAbvHcVRP04SS3qZ4pKx4+nqqJIhrh2Hto2SaMW6muhvhbqfyqhXsKSmW005eXK9LHb"
    "hSK9MgZWCD9R7ZsPVcvC/B8G9dyc+hKP6UQlYE1WwSIPFcE6SIr8IIePQLznQZ5Qh9l00V"
    "TFK5qAD7o8qEUxtBARhIUqzmKDwcg69kXVdRgIc6HynwDSeKi8l45NWVLfC6AHSKF6jpjL"
    "9DEhKhWMmnrFe3FRtZwhtZSV1u+9Lvm1rVJ2Qckvr6KjqVd7meb6HSlOVBDAgvbbbDDaGq"
    "uz6w3+jxmVArViJHvI4qPjt2VMbcdvl9va8N6WVMzdMjixngOhLlC3Jp7vBEJI2FjhY5td"
    "++UJm4P2e3FOFS3kJvI1P5POdsuOrKcTJrcECt8gOGvkgGB9o1kEfxWwKwl/vymLkZgyhf"
    "wGwhuN5QH55pd61gDQN/0EKREQdQrOopqJGki6ki5yKpWsewBtxJJCUjtWuNCbBjkWLMmm"
    "WCobrV+G5zhYPBAavujc3pDT46M3LxGbAtR1NYRG9O0G8PvrZzxfuxy60lUOdbHnd8oWdm"
    "+5IeoO4fMvLmnf0dEqCRiaCvI9DEL1qpZIv5B2FZZUem7VYTRVnedhu6SvAqfgcJUf697n"
    "PXGiwMaMcRMZVY3Pjc/t60vl5OfTd/nnVucSflLL7PLbD53Pn9vw0x1bsxlTLn9XnT/aX9"
    "rK709Zw/HqRev6on11hVcNZIntl5R4fpfA4NCqAgbjNHshZaWcYcv4wi53hU1zWH08csAL"
    "M6wptZeoMwKaNHzRRAc+8Q6yuoC3l+2LzqfW1Yuj35pamwHSq6XjZAO2n2YS7Prf1ix/lw"
    "qrMYqns3IfbVZSXZuVu06bUMPu2kRb74RakblOUTqD8p8rf8Z2cvTR6TNgfHL99eqqKH9G"
    "DCciVs9RbPlk7z9+YfayQvBxdUgH+tldySvD7B8bVywphi1TLgXcfEDB1AtXr5yThW35KT"
    "i5Vp3owqz9PoDTAaqAfpXjd6qR60doa+VLvrPFKp1V1NP4D6v2uu6+rBZFc6gX76B2Htg2"
    "fW+zQKniL3dmBW4B6dlL1yCi2idv6ZPjN69D5uOPInbfAmq8ymIZd+JV0Wr4zfdQobF+D4"
    "K6bNBm/WP/8iiXlszRyi09B+Ik+3QSrE21Ac8lezPHMnJ2bqEyLklYa+Qe0MjFBZCyeDFO"
    "U/vCFSNG4eSmN6sMGUPT7m4y9UHQGN9T25R08RsbjIWYNHIAUXCrWQSH5rpR+bRX1DQRO/"
    "hlJbW3NdFGZ45O34waY1UJk5m6OoEqHqBH+UUVoQxqBWTA0Vp717Z2XW89MHyjNV/dhY64"
    "4Sxm6OvucTTQU1XgE/6y7uEalodWXcO+GFojz4FrgjM/vBQ7nqFRXXhuGGA692fsMu0FEJ"
    "9kMI9eQIUpIaUQaM5XL7Jff1NV7pzDlxcI1fXo0TNVOd+RgU35hAyFg1G1B6QjVbAtxt35"
    "46KTAiUDh9EJxr4aLAihxeAxdaHff9CjgKQcCjQbdV0FfFp0dbBdAc3Qpx6DcVWD0KVfl4"
    "hYNdC2tso/uVXec3LsjMuFcr/5Psrkh6dlHHqx2XKpXN1MpXuJTa4Co1NkT+j0sKn9+wQQ"
    "SHdSgcshwd7x9+jwuAyCx2YFtWmPs3EAu+fFwziSmxX53mhft86V941P3+WXnVv/kmm5/r"
    "X3rc6V8vXxv7hpced5PHS0IJJdpeUe0BHFXpztT+0DnZL8qnM+QboPEeFP7oWeENVz1DWF"
    "/gdZ6jrbwjb7FyTwTdXFzhDXa73Na1276zVqd73aSat216t3wh5mVLkW0hpaBvXZn9FvJ+"
    "43i5TcPNaygtePShVCKJnBRwN20py6fiEGzDsiHNNFfTCcfGYs6yDFrZ+XF3HVDlXKFX5P"
    "HYtyeYZaWREkbiEv+n31h8p28jIaIFSgq6QqYzFX7kRiKBnHzCqGmC7XzCaCvILei0tJxA"
    "j8eeOfpSK3EivUs/hAfFcrWAdvPcmxtIKaONwaFRgfp6kNtCkpbAKzr6KpDNrvhXZm065G"
    "0pJ2tVQwAcEesncjmnYMla7C4KD9PvL38PCwlOHo8LDAcHSY8YmJfVyriOYxslqtsW0yd4"
    "3D652wRcFS23aw7kG01JaydFerDbeYYxnjRo5ewL/TLNII0KjNQ6qA5Qxdsz/TzxIYs6K+"
    "ejkUXWoOWC59LrcH7IUAugkBH1+qChz2m+8hd49KSfdHBcL9UVa2hxGlnyM6yWFMRLxE6I"
    "tI0hKfZUjyX2Jb7i6GbBQwF5mRkOEyfgJpl4CUcIAdnD93xrQf/w8suvBX"
)
